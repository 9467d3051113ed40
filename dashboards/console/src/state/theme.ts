// Light, dark, or as the system has it.

import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const key = 'millrace-theme';
const stored = localStorage.getItem(key);
const system = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(system.matches);
system.addEventListener('change', (e) => (systemDark.value = e.matches));

export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');

/** Whether the page is dark now; what draws by hand reads it to draw again. */
export const dark = signal(false);

effect(() => {
  dark.value = theme.value === 'dark' || (theme.value === 'system' && systemDark.value);
  document.documentElement.dataset.theme = dark.value ? 'dark' : 'light';
});

export function chooseTheme(value: Theme): void {
  theme.value = value;
  if (value === 'system') localStorage.removeItem(key);
  else localStorage.setItem(key, value);
}
