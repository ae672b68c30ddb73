/** Virtual time of a running lab, as windows see and control it. */
import type { TimeAction, VirtualTimeState } from '../../api/model.ts';
import type { VirtualTime } from '../time/virtual-time.ts';

export function timeState({ paused, speed, place }: VirtualTime): VirtualTimeState {
  return { paused, speed, events: place.events };
}

/** Does what was asked; resolves when it is done. @throws Error with a message for the user if it cannot be done */
export async function controlTime(virtual: VirtualTime, action: TimeAction): Promise<void> {
  switch (action.kind) {
    case 'pause':
      virtual.pause();
      return;
    case 'resume':
      virtual.resume();
      return;
    case 'speed':
      virtual.setSpeed(action.speed);
      return;
    case 'step':
      return expectMore(await virtual.step(action.events));
    case 'next':
      return expectMore(await virtual.nextPacket());
    case 'to': {
      const { time } = virtual.place;
      if (Number(action.time) <= time)
        throw new Error(`the lab is at ${time / 1e9} s already; a later time is needed`);
      await virtual.runTo(Number(action.time));
    }
  }
}

function expectMore(reason: Awaited<ReturnType<VirtualTime['step']>>): void {
  if (reason === 'idle')
    throw new Error('nothing more happens in the lab by itself; type something on a node');
}
