/**
 * The part of a browser that the page uses. Declared here, because the types of all of it would
 * let the node's own code reach for what is not there.
 */

export interface BrowserNode {
  readonly nodeType: number;
  readonly nodeName: string;
  nodeValue: string | null;
  readonly childNodes: ArrayLike<BrowserNode>;
  readonly firstChild: BrowserNode | null;
  appendChild(node: BrowserNode): void;
  replaceChild(added: BrowserNode, removed: BrowserNode): void;
  removeChild(node: BrowserNode): void;
}

export interface BrowserElement extends BrowserNode {
  readonly attributes: ArrayLike<{ readonly name: string; readonly value: string }>;
  textContent: string;
  className: string;
  hidden: boolean;
  /** Of inputs and selects. */
  value: string;
  disabled: boolean;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  closest(selector: string): BrowserElement | null;
  getBoundingClientRect(): { readonly left: number; readonly width: number };
  addEventListener(type: string, listener: (event: BrowserEvent) => void): void;
}

export interface BrowserEvent {
  readonly target: BrowserElement;
  readonly clientX: number;
  readonly key: string;
  /** Of an `EventSource`'s message. */
  readonly data: string;
  preventDefault(): void;
}

interface BrowserTemplate {
  innerHTML: string;
  readonly content: BrowserNode;
}

interface BrowserDocument {
  readonly hidden: boolean;
  title: string;
  getElementById(id: string): BrowserElement | null;
  createElement(name: 'template'): BrowserTemplate;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
}

export interface BrowserEvents {
  /** 2: it has given up. */
  readonly readyState: number;
  addEventListener(type: string, listener: (event: BrowserEvent) => void): void;
  close(): void;
}

interface BrowserGlobals {
  readonly document: BrowserDocument;
  readonly EventSource: new (path: string) => BrowserEvents;
}

export const { document, EventSource } = globalThis as unknown as BrowserGlobals;
