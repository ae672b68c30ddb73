/** Moving over the map with the arrow keys: which object lies in that direction. */
import type { Position } from '../../main/api/model.ts';

export type Direction = 'left' | 'right' | 'up' | 'down';

export const arrowDirections: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};

const axes: Readonly<Record<Direction, Position>> = {
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
  up: { x: 0, y: -1 },
  down: { x: 0, y: 1 },
};

/** How much worse a unit sideways is than one ahead. */
const sidewaysCost = 2;

export interface Place extends Position {
  readonly key: string;
}

/** The nearest place ahead; what lies more sideways than ahead counts as another direction. */
export function neighbourInDirection(
  places: readonly Place[],
  from: Place,
  direction: Direction,
): Place | undefined {
  const axis = axes[direction];
  let best: Place | undefined;
  let bestCost = Infinity;
  for (const place of places) {
    const dx = place.x - from.x;
    const dy = place.y - from.y;
    const ahead = dx * axis.x + dy * axis.y;
    const sideways = Math.abs(dx * axis.y) + Math.abs(dy * axis.x);
    if (ahead <= 0 || sideways > ahead * 1.5) continue;
    const cost = ahead + sideways * sidewaysCost;
    if (cost < bestCost) [best, bestCost] = [place, cost];
  }
  return best;
}
