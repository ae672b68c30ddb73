/** The window as a user works with it: by what is written on it and by what assistive technology is told. */
import type { Locator, Page } from 'playwright-core';

export interface LabWindow {
  /** An object on the map by its accessible name's beginning, as `alpha` or `link wire`. */
  onMap(name: string): Locator;
  tab(name: string): Locator;
  packetRows(): Locator;
  /** Types a command line into the terminal in front. */
  type(line: string): Promise<void>;
  /** Waits until the terminal in front shows the text. */
  terminalShows(text: string | RegExp): Promise<void>;
  /** Opens a node's console with a double click and waits for its prompt. */
  openConsole(node: string): Promise<void>;
}

export function labWindow(page: Page): LabWindow {
  const screen = page.locator('.panel:visible .xterm-rows');

  async function type(line: string): Promise<void> {
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
  }

  return {
    onMap: (name) => page.locator('.surface').getByRole('button', { name: new RegExp(`^${name}\\b`) }),
    tab: (name) => page.getByRole('tab', { name, exact: true }),
    packetRows: () => page.locator('[role="grid"] [role="row"]:has([role="gridcell"])'),
    type,
    terminalShows: async (text) => {
      await screen.filter({ hasText: text }).waitFor({ timeout: 20_000 });
    },
    openConsole: async (node) => {
      await page.locator(`[data-key="node:${node}"]`).dblclick();
      await screen.filter({ hasText: /[#$>] ?/ }).waitFor();
    },
  };
}
