import { parentPort, workerData } from 'node:worker_threads';
import { type FolderTask, FolderWorker } from './folder-task.js';

/** A worker thread that converts each file that it receives. */
const worker = new FolderWorker(workerData as FolderTask);
parentPort?.on('message', async (path: string) => {
  parentPort?.postMessage(await worker.convert(path));
});
