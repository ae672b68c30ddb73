/** A bar between two panes: dragged with the pointer, or moved with the arrow keys. */
import type { Ref } from 'vue';

export interface SplitterOptions {
  /** The setting that the bar changes. */
  readonly value: Ref<number>;
  readonly min: number;
  readonly max: number;
  /** Change of the value for one arrow key; Shift makes it five times as large. */
  readonly step: number;
  /** The value that puts the bar where the pointer is. */
  fromPointer(event: PointerEvent): number;
  /** Keys that make the value smaller and larger. */
  readonly keys: readonly [smaller: string, larger: string];
}

export function useSplitter(options: SplitterOptions) {
  const { value, min, max, step, keys } = options;
  const set = (wanted: number): void => {
    value.value = Math.min(max, Math.max(min, wanted));
  };

  function onPointerdown(event: PointerEvent): void {
    const bar = event.currentTarget;
    if (!(bar instanceof HTMLElement)) return;
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent): void => set(options.fromPointer(moved));
    bar.addEventListener('pointermove', move);
    bar.addEventListener('lostpointercapture', () => bar.removeEventListener('pointermove', move), {
      once: true,
    });
  }

  function onKeydown(event: KeyboardEvent): void {
    const direction = event.key === keys[0] ? -1 : event.key === keys[1] ? 1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    set(value.value + direction * step * (event.shiftKey ? 5 : 1));
  }

  return { onPointerdown, onKeydown };
}
