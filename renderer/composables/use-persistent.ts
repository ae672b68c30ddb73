/** A setting that survives the window: kept in localStorage, read with a check, written when it changes. */
import { ref, watch, type Ref } from 'vue';

const prefix = 'stackscope.';

/** @param accept tells whether a stored value is one that this setting can have. */
export function usePersistent<T>(key: string, initial: T, accept: (value: unknown) => value is T): Ref<T> {
  const setting = ref(read(key, initial, accept)) as Ref<T>;
  watch(setting, (value) => {
    try {
      localStorage.setItem(prefix + key, JSON.stringify(value));
    } catch {
      // Storage may be full or forbidden; the setting then lasts as long as the window.
    }
  });
  return setting;
}

function read<T>(key: string, initial: T, accept: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(prefix + key) ?? 'null');
    return accept(value) ? value : initial;
  } catch {
    return initial;
  }
}

export function isOneOf<const T>(values: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => values.some((candidate) => candidate === value);
}

export function isNumberBetween(low: number, high: number): (value: unknown) => value is number {
  return (value): value is number => typeof value === 'number' && value >= low && value <= high;
}
