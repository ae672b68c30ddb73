/** The dock at the bottom: which tab is in front, and how much of the window it takes. */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import { isNumberBetween, usePersistent } from '../composables/use-persistent.ts';

export const useDockStore = defineStore('dock', () => {
  /** `packets`, `filters`, `log`, or the id of a console's tab. */
  const active = ref('packets');
  /** Share of the window's height. */
  const share = usePersistent('dock.share', 0.45, isNumberBetween(0.15, 0.85));
  const maximised = ref(false);
  /** Counts requests to move the keyboard into the front tab. */
  const focusRequests = ref(0);

  function show(tab: string, focus: boolean): void {
    active.value = tab;
    if (focus) focusRequests.value++;
  }

  return { active, share, maximised, focusRequests, show };
});
