import { describeIoError } from '../io/errors.js';
import { main } from './main.js';

// The reader of standard output may stop reading (`| head`). That is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`vsmmu: error: file-unwritable: standard output: ${describeIoError(error)}\n`);
  process.exit(3);
});

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
