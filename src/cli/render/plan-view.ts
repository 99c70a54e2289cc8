import type { GuestView } from '../../guest/predict.js';
import type { Host } from '../../host/host.js';

/** The data that is needed to show a plan. */
export interface PlanView {
  /** The domain's name. */
  readonly name: string;
  readonly host: Host;
  /** What the guest sees before and after the conversion. */
  readonly before: GuestView;
  readonly after: GuestView;
}
