/**
 * One way from cluster to cluster, which can be cut: a port for each node behind it.
 */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class SiteLink {
  readonly ports: readonly number[];
  readonly #servers: readonly Server[];
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(servers: readonly Server[], sockets: Set<Socket>) {
    this.#servers = servers;
    this.#sockets = sockets;
    this.ports = servers.map((server) => (server.address() as AddressInfo).port);
  }

  static async to(targets: readonly number[]): Promise<SiteLink> {
    const sockets = new Set<Socket>();
    let link: SiteLink | undefined;
    const servers = targets.map((target) =>
      createServer((socket) => {
        if (link?.isCut === true) {
          socket.destroy();
          return;
        }
        const onward = connect({ host: '127.0.0.1', port: target });
        for (const [one, other] of [
          [socket, onward],
          [onward, socket],
        ] as const) {
          sockets.add(one);
          one.pipe(other);
          one.on('error', () => undefined);
          one.on('close', () => {
            sockets.delete(one);
            other.destroy();
          });
        }
      }),
    );
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.listen(0, '127.0.0.1', resolve);
          }),
      ),
    );
    link = new SiteLink(servers, sockets);
    return link;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    for (const server of this.#servers) server.close();
  }
}
