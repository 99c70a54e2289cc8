import type { GuestView } from '../../guest/predict.js';
import type { Host } from '../../host/host.js';

/** What a plan is shown with. */
export interface PlanView {
  /** The domain's name. */
  readonly name: string;
  readonly host: Host;
  /** What the guest sees before it and after it. */
  readonly before: GuestView;
  readonly after: GuestView;
}
