// A handle that is the stack's or the kernel's, whichever its address belongs to: some addresses stay on the kernel. There it stands on one of Node's own sockets, behind the face of ours.

import builtin, { type BlockList } from 'node:net';
import { EADDRNOTAVAIL, EBADF, ENOTCONN } from '../uapi/errno.js';
import { deliver } from './deliver.js';
import type { NodeError } from './errors.js';
import type { AddressOut } from './handle-base.js';
import { KernelListener } from './kernel-listener.js';
import type { Reactor } from './reactor.js';
import type { ConnectRequest, ShutdownRequest, WriteRequest } from './requests.js';
import { EOF, TcpHandle } from './tcp-handle.js';

/** Node's own, taken before anybody is put in its place. */
const { Socket } = builtin;

/** What a failure of Node's is as a result of ours. */
export function errnoOf(error: Error | null | undefined): number {
  if (error === null || error === undefined) return 0;
  const { errno } = error as NodeError;
  return typeof errno === 'number' && errno < 0 ? errno : -EBADF;
}

export class KernelHandle extends TcpHandle {
  readonly #addresses: BlockList;
  #peer: builtin.Socket | null = null;
  #listener: KernelListener | null = null;
  #bound: { address: string; port: number; family: 4 | 6 } | null = null;
  #connecting: ConnectRequest | null = null;
  #buffer: Uint8Array | null = null;

  /** @param addresses the kernel's */
  constructor(reactor: Reactor, addresses: BlockList) {
    super(reactor);
    this.#addresses = addresses;
  }

  /** A connection that Node has accepted, or is about to make. */
  #adoptPeer(peer: builtin.Socket): void {
    this.#peer = peer;
    if (!this.refd) peer.unref();
    peer.pause();
    peer.on('data', (chunk: Buffer) => this.#deliver(chunk));
    peer.on('end', () => this.onread(EOF, undefined));
    peer.on('error', (error: NodeError) => this.#failed(error));
  }

  #isKernels(address: string, family: 4 | 6): boolean {
    return this.#addresses.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }

  /** Node's sockets keep the process by themselves. */
  protected override get active(): boolean {
    return this.#peer === null && this.#listener === null ? super.active : this.onClose !== null;
  }

  override get onStack(): boolean {
    return this.#peer === null;
  }

  override get writeQueueSize(): number {
    return this.#peer === null ? super.writeQueueSize : this.#peer.writableLength;
  }

  override bind(address: string, port: number): number {
    return this.#isKernels(address, 4) ? this.#bind(address, port, 4) : super.bind(address, port);
  }

  override bind6(address: string, port: number, flags = 0): number {
    return this.#isKernels(address, 6) ? this.#bind(address, port, 6) : super.bind6(address, port, flags);
  }

  #bind(address: string, port: number, family: 4 | 6): number {
    this.#bound = { address, port, family };
    return 0;
  }

  override listen(backlog: number): number {
    if (this.#bound === null) return super.listen(backlog);
    this.#listener = new KernelListener(this.#bound, backlog, (peer) => {
      const client = new KernelHandle(this.reactor, this.#addresses);
      client.#adoptPeer(peer);
      this.onconnection(0, client);
    });
    if (!this.refd) this.#listener.unref();
    return this.#listener.listen(this);
  }

  override connect(request: ConnectRequest, address: string, port: number): number {
    return this.#isKernels(address, 4)
      ? this.#connect(request, { host: address, port, family: 4 })
      : this.#bound !== null
        ? -EADDRNOTAVAIL
        : super.connect(request, address, port);
  }

  override connect6(request: ConnectRequest, address: string, port: number): number {
    return this.#isKernels(address, 6)
      ? this.#connect(request, { host: address, port, family: 6 })
      : super.connect6(request, address, port);
  }

  #connect(request: ConnectRequest, to: { host: string; port: number; family: number }): number {
    const peer = new Socket({ allowHalfOpen: true });
    this.#adoptPeer(peer);
    this.#connecting = request;
    const from = this.#bound;
    const local = from === null ? {} : { localAddress: from.address, localPort: from.port };
    peer.connect({ ...local, ...to, autoSelectFamily: false } as builtin.NetConnectOpts, () => {
      this.#connecting = null;
      request.oncomplete(0, this, request, true, true);
    });
    return 0;
  }

  #failed(error: NodeError): void {
    const request = this.#connecting;
    this.#connecting = null;
    if (request !== null) request.oncomplete(errnoOf(error), this, request, false, false);
    else if (this.reading) this.onread(errnoOf(error), undefined);
  }

  #deliver(chunk: Buffer): void {
    const rest = deliver(this, chunk, () => this.#buffer);
    if (rest.length === 0) return;
    this.#peer?.pause();
    this.#peer?.unshift(rest);
  }

  override useUserBuffer(buffer: Uint8Array): void {
    this.#buffer = buffer;
    super.useUserBuffer(buffer);
  }

  override readStart(): number {
    if (this.#peer === null) return super.readStart();
    this.reading = true;
    this.#peer.resume();
    return 0;
  }

  override readStop(): number {
    if (this.#peer === null) return super.readStop();
    this.reading = false;
    this.#peer.pause();
    return 0;
  }

  override writeBuffer(request: WriteRequest, data: Uint8Array): number {
    const peer = this.#peer;
    if (peer === null) return super.writeBuffer(request, data);
    request.async = true;
    request.bytes = data.length;
    this.bytesWritten += data.length;
    peer.write(data, (error) => request.oncomplete(errnoOf(error)));
    return 0;
  }

  override writeString(request: WriteRequest, text: string, encoding: BufferEncoding): number {
    if (this.#peer === null) return super.writeString(request, text, encoding);
    return this.writeBuffer(request, Buffer.from(text, encoding));
  }

  override writev(request: WriteRequest, chunks: readonly unknown[], allBuffers: boolean): number {
    if (this.#peer === null) return super.writev(request, chunks, allBuffers);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < chunks.length; at += allBuffers ? 1 : 2) {
      const chunk = chunks[at] as string | Uint8Array;
      parts.push(typeof chunk === 'string' ? Buffer.from(chunk, chunks[at + 1] as BufferEncoding) : chunk);
    }
    return this.writeBuffer(request, Buffer.concat(parts));
  }

  override shutdown(request: ShutdownRequest): number {
    if (this.#peer === null) return super.shutdown(request);
    this.#peer.end(() => request.oncomplete(0));
    return 0;
  }

  override close(callback?: () => void): void {
    this.#leave();
    super.close(callback);
  }

  override reset(callback?: () => void): number {
    this.#peer?.resetAndDestroy();
    this.#leave();
    return super.reset(callback);
  }

  #leave(): void {
    this.#connecting = null;
    this.#peer?.destroy();
    this.#listener?.close();
  }

  override ref(): void {
    this.#peer?.ref();
    this.#listener?.ref();
    super.ref();
  }

  override unref(): void {
    this.#peer?.unref();
    this.#listener?.unref();
    super.unref();
  }

  override getsockname(out: AddressOut): number {
    if (this.#listener !== null) return this.#listener.getsockname(out);
    const peer = this.#peer;
    if (peer === null) return super.getsockname(out);
    return named(out, peer.localAddress, peer.localFamily, peer.localPort);
  }

  override getpeername(out: AddressOut): number {
    const peer = this.#peer;
    if (peer === null) return super.getpeername(out);
    return named(out, peer.remoteAddress, peer.remoteFamily, peer.remotePort);
  }

  override setNoDelay(on: boolean): number {
    if (this.#peer === null) return super.setNoDelay(on);
    this.#peer.setNoDelay(on);
    return 0;
  }

  override setKeepAlive(on: boolean, seconds: number): number {
    if (this.#peer === null) return super.setKeepAlive(on, seconds);
    this.#peer.setKeepAlive(on, seconds * 1000);
    return 0;
  }
}

function named(
  out: AddressOut,
  address: string | undefined,
  family: string | undefined,
  port: number | undefined,
): number {
  if (address === undefined || port === undefined) return -ENOTCONN;
  out.address = address;
  out.family = family ?? 'IPv4';
  out.port = port;
  return 0;
}
