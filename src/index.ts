export { parseDomain } from './domain/domain.js';
