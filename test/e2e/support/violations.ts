/** What axe finds wrong with a page. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** WCAG 2.2 A and AA, as far as axe can tell; one line per rule broken. The terminal's own elements are xterm.js's. */
export async function violations(page: Page): Promise<readonly string[]> {
  // The page's policy forbids scripts that it did not bring; this comes through the debugger.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    // That rule joins the texts of an SVG group without spaces; a unit test compares the map's labels with its texts.
    const rules = { 'label-content-name-mismatch': { enabled: false } };
    const result = await checker.run({ exclude: ['.xterm'] }, { runOnly: tags, rules });
    return result.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
    );
  });
  return found;
}
