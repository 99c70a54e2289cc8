/** The connection to the agent on the host (host/agent.mjs): requests and answers, one JSON document per line. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { LabError } from '../lab/process.js';

type Answer = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class Line {
  private readonly waiting = new Map<number, Waiting>();
  private lastId = Math.floor(Math.random() * 2 ** 40);
  private broken: Error | undefined;

  private constructor(private readonly socket: Socket) {
    createInterface({ input: socket }).on('line', (text) => this.take(text));
    socket.on('error', () => undefined);
    socket.on('close', () => this.breakOff());
  }

  /** Connects to QEMU's socket; the agent need not run yet. */
  static open(path: string): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', (error) => reject(new LabError(`the host cannot be reached: ${error.message}`)));
      socket.once('connect', () => resolve(new Line(socket)));
    });
  }

  /** Sends a request and waits for its answer. Throws LabError if the request fails, or the host ends before it answers. */
  ask(operation: string, request: object): Promise<Answer> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.write(`${JSON.stringify({ id, operation, ...request })}\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(text: string): void {
    if (!text.startsWith('{')) return;
    const { id, failure, ...answer } = JSON.parse(text) as Answer;
    // An answer to an earlier client.
    const waiting = this.waiting.get(Number(id));
    this.waiting.delete(Number(id));
    if (failure === undefined) waiting?.resolve(answer);
    else waiting?.reject(new LabError(`the host's agent failed: ${failure}`));
  }

  private breakOff(): void {
    this.broken = new LabError('the host has ended');
    for (const { reject } of this.waiting.values()) reject(this.broken);
    this.waiting.clear();
  }
}
