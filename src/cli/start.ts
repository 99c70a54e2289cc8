import { main } from './main.js';

// Whoever reads our output may stop reading (`| head`): that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
