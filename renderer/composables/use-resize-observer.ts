/** Calls back when an element's size changes, for as long as the component lives. */
import { onBeforeUnmount, watch, type Ref } from 'vue';

export function useResizeObserver(element: Readonly<Ref<Element | null>>, onResize: () => void): void {
  const observer = new ResizeObserver(() => onResize());
  watch(
    element,
    (current) => {
      observer.disconnect();
      if (current !== null) observer.observe(current);
    },
    { immediate: true },
  );
  onBeforeUnmount(() => observer.disconnect());
}
