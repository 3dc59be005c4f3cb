/**
 * Shows markup in a place of the page by changing only what differs from what is there: so what
 * has the focus keeps it, and what is pointed at, selected or read aloud stays.
 */

import { document, type BrowserElement, type BrowserNode } from './browser.ts';
import type { Markup } from './markup.ts';

const ELEMENT = 1;

/** What was last shown in a place: mostly it is the same again. */
const shownText = new WeakMap<BrowserElement, string>();

export function patch(place: BrowserElement, { text }: Markup): void {
  if (shownText.get(place) === text) return;
  shownText.set(place, text);
  const template = document.createElement('template');
  template.innerHTML = text;
  patchChildren(place, template.content);
}

function patchChildren(shown: BrowserNode, wanted: BrowserNode): void {
  // A list of its own: children leave `wanted` when they are shown.
  const children = Array.from(wanted.childNodes);
  children.forEach((child, index) => {
    const old = shown.childNodes[index];
    if (old === undefined) shown.appendChild(child);
    else if (old.nodeName !== child.nodeName) shown.replaceChild(child, old);
    else patchNode(old, child);
  });
  for (let index = shown.childNodes.length - 1; index >= children.length; index -= 1) {
    const extra = shown.childNodes[index];
    if (extra !== undefined) shown.removeChild(extra);
  }
}

function patchNode(shown: BrowserNode, wanted: BrowserNode): void {
  if (shown.nodeType !== ELEMENT) {
    if (shown.nodeValue !== wanted.nodeValue) shown.nodeValue = wanted.nodeValue;
    return;
  }
  patchAttributes(shown as BrowserElement, wanted as BrowserElement);
  patchChildren(shown, wanted);
}

function patchAttributes(shown: BrowserElement, wanted: BrowserElement): void {
  for (const { name, value } of Array.from(wanted.attributes)) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const { name } of Array.from(shown.attributes)) {
    if (wanted.getAttribute(name) === null) shown.removeAttribute(name);
  }
}
