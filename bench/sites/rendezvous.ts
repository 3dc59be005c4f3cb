/**
 * Two runs that go in step: who is first at a phase waits for the other.
 */

export class Rendezvous {
  /** Done when both are there, before they go on. */
  readonly #onMet: (place: string) => Promise<void>;
  readonly #waiting = new Map<string, (met: Promise<void>) => void>();

  constructor(onMet: (place: string) => Promise<void>) {
    this.#onMet = onMet;
  }

  /** Rejects for both if what is done when they have met does. */
  meet(place: string): Promise<void> {
    const goOn = this.#waiting.get(place);
    if (goOn === undefined) {
      return new Promise((resolve) => {
        this.#waiting.set(place, resolve);
      });
    }
    this.#waiting.delete(place);
    const met = this.#onMet(place);
    goOn(met);
    return met;
  }
}
