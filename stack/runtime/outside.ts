/**
 * Waiting for the world outside the lab: a file that is read, a terminal that takes what is written. In virtual time that takes none, and how fast the world is
 * must not show: whoever waited goes on when all others wait as well, together with the others who wait for the outside, in the order in which they began.
 * In real time everybody goes on at once.
 */
interface Errand {
  /** Has come back. */
  done: boolean;
  /** Hands over what came back; undefined while it is away, or when nobody waits for it. */
  hand: (() => void) | undefined;
}

const errands: Errand[] = [];
let onReturn: (() => void) | undefined;

/** Says who hands over what comes back: the driver of virtual time, told whenever something has; undefined: nobody, in real time. Forgets what is away. */
export function setOutsideListener(listener: (() => void) | undefined): void {
  errands.length = 0;
  onReturn = listener;
}

function send(): Errand {
  const errand: Errand = { done: false, hand: undefined };
  errands.push(errand);
  return errand;
}

function comeBack(errand: Errand, hand?: () => void): void {
  errand.done = true;
  errand.hand = hand;
  onReturn?.();
}

/** Does something that waits for the outside, and settles as it does. */
export function fromOutside<T>(work: () => Promise<T>): Promise<T> {
  if (onReturn === undefined) return work();
  const errand = send();
  return new Promise<T>((resolve, reject) => {
    work().then(
      (value) => comeBack(errand, () => resolve(value)),
      (error: unknown) =>
        comeBack(errand, () => reject(error instanceof Error ? error : new Error(String(error)))),
    );
  });
}

/** Keeps virtual time from moving until `work` has settled; nobody waits for it. */
export function holdTimeFor(work: Promise<unknown>): void {
  if (onReturn === undefined) return;
  const errand = send();
  const back = (): void => comeBack(errand);
  work.then(back, back);
}

/** True while something is away or has not been handed over: time stands still. */
export function timeIsHeld(): boolean {
  return errands.length > 0;
}

/** True while something is away. */
export function outsideIsAwaited(): boolean {
  return errands.some(({ done }) => !done);
}

/** Hands over everything, once all of it is back; says whether anybody had waited for any of it. */
export function handOver(): boolean {
  const back = errands.splice(0);
  let any = false;
  for (const { hand } of back) {
    hand?.();
    any ||= hand !== undefined;
  }
  return any;
}
