// A child process that talks in lines of JSON (or of text), and ends when it is told.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export class Process {
  #lines = [];
  #waiting = [];
  #ended = false;
  #err = '';

  constructor(command, args) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    children.add(this.child);
    this.child.stdin.on('error', () => {});
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#err += text;
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.#tell(line));
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.#err += error.message;
      });
      this.child.on('close', (code) => {
        children.delete(this.child);
        this.#ended = true;
        for (const waiter of this.#waiting.splice(0)) waiter();
        resolve(code);
      });
    });
    this.command = [command, ...args].join(' ');
  }

  #tell(line) {
    this.#lines.push(line);
    this.#waiting.shift()?.();
  }

  /** The next line; rejects when the process ends without one, or says none in time: on a busy machine programs start slowly. */
  async line(seconds = 120) {
    if (this.#lines.length === 0 && !this.#ended) {
      let timer;
      await Promise.race([
        new Promise((resolve) => this.#waiting.push(resolve)),
        new Promise((resolve) => {
          timer = setTimeout(resolve, seconds * 1000);
        }),
      ]);
      clearTimeout(timer);
    }
    const line = this.#lines.shift();
    if (line === undefined) throw new Error(`no word from ${this.command}: ${this.#err || 'too late'}`);
    return line;
  }

  async json(seconds) {
    return JSON.parse(await this.line(seconds));
  }

  write(text) {
    this.child.stdin.write(text);
  }

  /** Asks it to end, insists after two seconds. */
  async end(signal = 'SIGTERM') {
    if (this.#ended) return;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 2000);
    await this.exited;
    clearTimeout(timer);
  }
}
