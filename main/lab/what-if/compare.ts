/**
 * Two rule sets over the same capture: exactly the packets on which they do not agree.
 */
import type { PacketVerdict, VerdictChange } from './report.ts';

/** What counts as the same fate: passing or not, and with which addresses. Which rule decides may differ. */
function fateOf({ verdict, translated }: PacketVerdict): string {
  return `${verdict} ${translated?.replace(/:\d+ ->/, ' ->') ?? ''}`;
}

/** The packets that fare otherwise under the second rule set. Ports that nat has chosen are not compared. */
export function compareVerdicts(
  before: readonly PacketVerdict[],
  after: readonly PacketVerdict[],
): VerdictChange[] {
  return before.flatMap((one, i) => {
    const other = after[i];
    if (other === undefined || fateOf(one) === fateOf(other)) return [];
    return [{ number: one.number, before: one, after: other }];
  });
}
