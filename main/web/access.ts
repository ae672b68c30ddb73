/**
 * Who may talk to the web host: only a page that this host served, to somebody who has the address with the
 * token. Guards against other users of the machine (token), DNS rebinding (Host), and other web pages in the
 * same browser, which may open WebSockets to any address (Origin, and a SameSite cookie).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type AccessVerdict = 'allowed' | 'foreign' | 'no-token';

export interface AccessRules {
  readonly token: string;
  /** Sets the cookie that carries the token from then on. */
  readonly setCookie: string;
  /** Judges a request by its headers; `queryToken` is what the address carried, if anything. */
  judge(headers: IncomingHttpHeaders, queryToken: string | null): AccessVerdict;
  /** As `judge`, for a WebSocket: browsers always send its Origin, so it must be there. */
  judgeSocket(headers: IncomingHttpHeaders): AccessVerdict;
}

export function createAccessRules(port: number, token = randomBytes(24).toString('base64url')): AccessRules {
  const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);
  const origins = new Set([...hosts].map((host) => `http://${host}`));
  // Cookies do not distinguish ports: the name does, so that two hosts on one machine do not disturb each other.
  const cookieName = `stackscope-${port}`;

  const fromHere = (headers: IncomingHttpHeaders): boolean =>
    headers.host !== undefined &&
    hosts.has(headers.host) &&
    (headers.origin === undefined || origins.has(headers.origin));

  const judge = (headers: IncomingHttpHeaders, queryToken: string | null): AccessVerdict => {
    if (!fromHere(headers)) return 'foreign';
    const given = queryToken ?? readCookie(headers.cookie, cookieName);
    return given !== undefined && equalInConstantTime(given, token) ? 'allowed' : 'no-token';
  };

  return {
    token,
    setCookie: `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Strict`,
    judge,
    judgeSocket: (headers) => (headers.origin === undefined ? 'foreign' : judge(headers, null)),
  };
}

/** Digests have equal lengths, so neither the content nor the length of the token shows in the time. */
function equalInConstantTime(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function readCookie(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const separator = part.indexOf('=');
    if (part.slice(0, separator).trim() === name) return part.slice(separator + 1).trim();
  }
  return undefined;
}
