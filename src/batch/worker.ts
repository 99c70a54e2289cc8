import { parentPort, workerData } from 'node:worker_threads';
import { type FolderTask, FolderWorker } from './folder-task.js';

/** A thread that converts the files it is told of. */
const worker = new FolderWorker(workerData as FolderTask);
parentPort?.on('message', async (paths: readonly string[]) => {
  parentPort?.postMessage(await worker.convert(paths));
});
