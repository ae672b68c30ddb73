/**
 * Every keyboard shortcut in one table: what the keys do, and the list that `?` shows. Single letters work only
 * while no text field or terminal has the keyboard.
 */
import type { MenuAction } from '../../main/api/contract.ts';

export type AppAction = MenuAction | 'dock.toggle' | 'pane.next' | 'console.focus';

export interface Shortcut {
  /** As `KeyboardEvent.key`, lower case. */
  readonly key: string;
  readonly control?: boolean;
  readonly shift?: boolean;
  readonly action: AppAction;
  readonly title: string;
}

export const shortcuts: readonly Shortcut[] = [
  { key: 'o', control: true, action: 'lab.open', title: 'Open a lab' },
  { key: 'o', control: true, shift: true, action: 'capture.open', title: 'Open a capture file' },
  { key: 's', control: true, shift: true, action: 'capture.export', title: 'Export packets as pcapng' },
  { key: 'f', control: true, action: 'view.find', title: 'Find a node, address or link' },
  { key: 'f5', action: 'lab.start', title: 'Start the lab' },
  { key: 'f5', shift: true, action: 'lab.stop', title: 'Stop the lab' },
  { key: 'f5', control: true, shift: true, action: 'lab.restart', title: 'Restart the lab' },
  { key: '`', control: true, action: 'console.focus', title: 'Go to the console, or back to the map' },
  { key: 'f6', control: true, action: 'pane.next', title: 'Go to the next pane' },
  { key: 'j', control: true, action: 'dock.toggle', title: 'Maximise or restore the dock' },
  { key: '?', shift: true, action: 'help.shortcuts', title: 'Show the shortcuts' },
];

/** Shortcuts of single panes, for the list only. */
export const paneShortcuts: readonly { readonly keys: string; readonly title: string }[] = [
  { keys: 'Arrows', title: 'Map: go to the next object in that direction' },
  { keys: 'Enter', title: 'Map and outline: open the node’s console' },
  { keys: 'Shift+Enter', title: 'The same, leaving the keyboard where it is' },
  { keys: 'Space', title: 'Map and outline: select and show details' },
  { keys: 'Esc', title: 'Map: clear the selection' },
  { keys: '+  −  0', title: 'Map: zoom in, zoom out, fit' },
  { keys: 'Ctrl+wheel', title: 'Map: zoom at the pointer' },
  { keys: '↑ ↓ Home End', title: 'Packets: select' },
  { keys: 'Ctrl+Shift+C / V', title: 'Console: copy and paste' },
];

export function shortcutFor(event: KeyboardEvent): Shortcut | undefined {
  const control = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (event.altKey) return undefined;
  return shortcuts.find(
    (shortcut) =>
      shortcut.key === key &&
      (shortcut.control ?? false) === control &&
      // Where `?` is typed with or without Shift depends on the keyboard.
      (shortcut.key === '?' || (shortcut.shift ?? false) === event.shiftKey),
  );
}

/** Whether a terminal shall leave the key to the window. Plain characters belong to the terminal. */
export function isAppShortcut(event: KeyboardEvent): boolean {
  const shortcut = shortcutFor(event);
  return (
    shortcut !== undefined &&
    (shortcut.control === true ? shortcut.shift === true || shortcut.key !== 'f' : shortcut.key !== '?')
  );
}

export function isTextTarget(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
  );
}

export function shortcutText({ control, shift, key }: Shortcut): string {
  const name = key.length === 1 ? key.toUpperCase() : key.charAt(0).toUpperCase() + key.slice(1);
  return [control === true ? 'Ctrl' : '', shift === true && key !== '?' ? 'Shift' : '', name]
    .filter(Boolean)
    .join('+');
}
