/** The page asks for no device or permission; copying text is all it may do (Electron security checklist, item 5). */
import type { Session } from 'electron';

const allowed = new Set(['clipboard-sanitized-write']);

export function denyPermissions(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer) => answer(allowed.has(permission)));
  session.setPermissionCheckHandler((_contents, permission) => allowed.has(permission));
  session.setDevicePermissionHandler(() => false);
}
