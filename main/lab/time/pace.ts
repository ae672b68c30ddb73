/** How fast virtual time goes by the clock on the wall: so many times as fast, or as fast as the machine can (Infinity). */

/** A machine that falls so far behind is not made to catch up, ms. */
const MOST_LAG_MS = 100;
/** Timers of the event loop are no finer, ms: what is due sooner is due now. */
const FINEST_MS = 1;
const LONGEST_MS = 0x7fffffff;

export class Pace {
  #speed: number;
  /** A moment on the wall, ms, and the lab's time then, ns. */
  #wall = performance.now();
  #time = 0;

  constructor(speed: number) {
    this.#speed = speed;
  }

  get speed(): number {
    return this.#speed;
  }

  /** From lab time `time` on, another speed. */
  change(speed: number, time: number): void {
    this.#speed = speed;
    this.begin(time);
  }

  /** It is lab time `time` now. */
  begin(time: number): void {
    this.#wall = performance.now();
    this.#time = time;
  }

  /** Lab time by the clock on the wall, ns; Infinity without a limit of speed. */
  due(): number {
    if (this.#speed === Infinity) return Infinity;
    return this.#time + (performance.now() - this.#wall) * 1e6 * this.#speed;
  }

  /** How long it is until lab time `time`, ms; 0 when it is due. */
  until(time: number): number {
    if (this.#speed === Infinity) return 0;
    const ms = (time - this.due()) / (1e6 * this.#speed);
    if (ms < -MOST_LAG_MS) this.begin(time);
    return ms < FINEST_MS ? 0 : Math.min(ms, LONGEST_MS);
  }
}
