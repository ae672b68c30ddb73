/** Light, dark, or as the system says. Styles follow `color-scheme` by light-dark(); see styles/tokens.css. */
import { computed, ref, watchEffect } from 'vue';
import { isOneOf, usePersistent } from './use-persistent.ts';

const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const theme = usePersistent<Theme>('theme', 'system', isOneOf(themes));
const systemDark = window.matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = ref(systemDark.matches);
systemDark.addEventListener('change', (event) => {
  systemIsDark.value = event.matches;
});

/** What is shown now. */
const isDark = computed(() => theme.value === 'dark' || (theme.value === 'system' && systemIsDark.value));

watchEffect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function useTheme() {
  function cycle(): void {
    theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'system';
  }
  return { theme, isDark, cycle };
}
