import { parentPort, workerData } from 'node:worker_threads';
import { type FolderTask, FolderWorker } from './folder-task.js';

/** A thread that converts each file it is given. */
const worker = new FolderWorker(workerData as FolderTask);
parentPort?.on('message', async (path: string) => {
  parentPort?.postMessage(await worker.convert(path));
});
