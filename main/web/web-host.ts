/**
 * The headless host: serves the renderer over http and the contract over a WebSocket, on 127.0.0.1 only.
 * The first visit brings the token in the address; it is traded for a cookie at once, so that it stays neither
 * in the address bar nor in the history.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { maxCaptureFileBytes } from '../api/contract.ts';
import type { LabHost } from '../api/lab-host.ts';
import { createApiServer, type ApiServerOptions } from '../api/server.ts';
import { createAccessRules, type AccessRules, type AccessVerdict } from './access.ts';
import { builtRendererFolder, listAssets, type AssetSet } from './assets.ts';
import { securityHeaders } from './security-headers.ts';
import { socketTransport } from './socket-transport.ts';

const listenAddress = '127.0.0.1';
/** A capture file in base64 with its envelope, and room to spare. */
const maxMessageBytes = Math.ceil(maxCaptureFileBytes / 3) * 4 + 64 * 1024;

export interface WebHostOptions {
  readonly host: LabHost;
  /** 0 or absent: any free port. */
  readonly port?: number | undefined;
  /** The folder with the built renderer, if it is not beside the program. */
  readonly rendererFolder?: string;
  readonly api?: ApiServerOptions;
}

export interface WebHost {
  /** The address to open, with the token. Whoever has it has the lab. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** @throws Error when the port is taken or the renderer has not been built. */
export async function startWebHost(options: WebHostOptions): Promise<WebHost> {
  const assets = await listAssets(options.rendererFolder ?? builtRendererFolder());
  const server = createServer();
  const port = await listen(server, options.port ?? 0);
  const access = createAccessRules(port);
  const api = createApiServer(options.host, options.api);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });

  server.on('request', (request, response) => void answer(request, response, access, assets));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const verdict = request.url === '/socket' ? access.judgeSocket(request.headers) : 'foreign';
    if (verdict !== 'allowed') return refuseUpgrade(socket, verdict);
    sockets.handleUpgrade(request, socket, head, (webSocket) => api.attach(socketTransport(webSocket)));
  });

  return {
    url: `http://${listenAddress}:${port}/?token=${access.token}`,
    port,
    close: () => {
      api.close();
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken ? new Error(`port ${port} is in use; choose another with --port, or leave it out`) : error,
      );
    });
    server.listen(port, listenAddress, () => resolve((server.address() as AddressInfo).port));
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  access: AccessRules,
  assets: AssetSet,
): Promise<void> {
  const [path = '/', query] = (request.url ?? '/').split('?', 2);
  const token = new URLSearchParams(query).get('token');
  const verdict = access.judge(request.headers, token);
  if (verdict !== 'allowed') return respond(response, 403, refusal(verdict));
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return respond(response, 405, 'Only GET is answered here.', { Allow: 'GET, HEAD' });
  }
  if (token !== null) return respond(response, 303, '', { Location: '/', 'Set-Cookie': access.setCookie });
  const asset = assets.get(path);
  if (asset === undefined) return respond(response, 404, 'There is no such file.');
  try {
    const body = await asset.read();
    response.writeHead(200, { ...securityHeaders, 'Content-Type': asset.contentType });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch {
    respond(response, 404, 'The renderer was rebuilt since this program started; restart it.');
  }
}

function refusal(verdict: Exclude<AccessVerdict, 'allowed'>): string {
  return verdict === 'foreign'
    ? 'This host answers only pages of its own, at the address it printed.'
    : 'The token is missing or wrong: open the address that the program printed when it started.';
}

function respond(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...securityHeaders, 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text === '' ? undefined : `${text}\n`);
}

function refuseUpgrade(socket: Duplex, verdict: Exclude<AccessVerdict, 'allowed'>): void {
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${refusal(verdict)}\n`,
  );
}
