import { parentPort, workerData } from 'node:worker_threads';
import { type FolderTask, FolderWorker } from './folder-task.js';

/** A worker thread that converts the files that it receives. */
const worker = new FolderWorker(workerData as FolderTask);
parentPort?.on('message', async (paths: readonly string[]) => {
  parentPort?.postMessage(await Promise.all(paths.map((path) => worker.convert(path))));
});
