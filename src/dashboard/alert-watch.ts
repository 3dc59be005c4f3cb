/**
 * Since when the condition of each alert has held, for each node: an alert fires when that is long
 * enough.
 */

import { ALERT_RULES, type AlertFacts } from './alert-rules.ts';
import type { AlertView } from './page/snapshot.ts';

export class AlertWatch {
  /** By rule and node; only what holds now is kept. */
  #since = new Map<string, number>();

  /** Those that hold now, the gravest first. */
  judge(nodes: readonly AlertFacts[]): AlertView[] {
    const since = new Map<string, number>();
    const alerts: AlertView[] = [];
    for (const { name, severity, forMs, meaning, isOfSilence, holds } of ALERT_RULES) {
      for (const facts of nodes) {
        if (facts.isSilent && isOfSilence !== true) continue;
        if (!holds(facts)) continue;
        const id = `${name} ${facts.node}`;
        const fromMs = this.#since.get(id) ?? facts.nowMs;
        since.set(id, fromMs);
        const holdsForMs = facts.nowMs - fromMs;
        const isFiring = holdsForMs >= forMs;
        alerts.push({ name, severity, node: facts.node, isFiring, holdsForMs, forMs, meaning });
      }
    }
    this.#since = since;
    const rank = ({ isFiring, severity }: AlertView): number =>
      (isFiring ? 0 : 2) + (severity === 'page' ? 0 : 1);
    return alerts.sort((left, right) => rank(left) - rank(right));
  }
}
