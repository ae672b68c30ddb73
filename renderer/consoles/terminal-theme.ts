/** The terminal's colours; xterm.js takes values, not CSS variables. Backgrounds equal --surface-sunken. */
import type { ITheme } from '@xterm/xterm';

const light: ITheme = {
  background: '#f6f8fa',
  foreground: '#18222c',
  cursor: '#0b6572',
  cursorAccent: '#f6f8fa',
  selectionBackground: '#b8dde0',
  black: '#18222c',
  red: '#b3261e',
  green: '#17703f',
  yellow: '#8a5a00',
  blue: '#2f62b5',
  magenta: '#a03a85',
  cyan: '#0b6572',
  white: '#54616e',
  brightBlack: '#6b7884',
  brightRed: '#c4392f',
  brightGreen: '#1d8049',
  brightYellow: '#9a6700',
  brightBlue: '#3b72cc',
  brightMagenta: '#b04a95',
  brightCyan: '#0e7786',
  brightWhite: '#18222c',
};

const dark: ITheme = {
  background: '#12181f',
  foreground: '#e4eaf0',
  cursor: '#5cc4cc',
  cursorAccent: '#12181f',
  selectionBackground: '#2a4d58',
  black: '#2b3644',
  red: '#ff8a80',
  green: '#71cf97',
  yellow: '#e5b85c',
  blue: '#86b1f5',
  magenta: '#e59bd0',
  cyan: '#5cc4cc',
  white: '#c5ced8',
  brightBlack: '#8593a2',
  brightRed: '#ffa9a1',
  brightGreen: '#8fdcae',
  brightYellow: '#f0cd82',
  brightBlue: '#a5c5f8',
  brightMagenta: '#edb5df',
  brightCyan: '#84d6dc',
  brightWhite: '#ffffff',
};

export function terminalTheme(isDark: boolean): ITheme {
  return isDark ? dark : light;
}
