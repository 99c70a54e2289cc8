import { type CasesDefinition, defineCases } from './diagnostic.js';

const at = (path: string): string => (path === '' ? '/' : path);

/** The messages of every JSON input. A path is a JSON Pointer. */
const JSON_MESSAGES = {
  notJson: (a: { reason: string }) => `not JSON: ${a.reason}`,
  /** `key` is quoted. */
  duplicateKey: (a: { key: string }) => `the key ${a.key} occurs twice`,
  misfit: (a: { path: string; constraint: string; nearest?: string | undefined }) => ({
    message: `${at(a.path)}: ${a.constraint}`,
    hint: a.nearest === undefined ? undefined : `did you mean ${JSON.stringify(a.nearest)}?`,
  }),
};

/** The definition of a code for a JSON input. */
export type JsonDefinition = CasesDefinition<string, typeof JSON_MESSAGES>;

export const policyInvalid = defineCases('policy-invalid', {
  severity: 'error',
  messages: JSON_MESSAGES,
  meaning: 'the policy is not JSON, or does not fit its schema',
  why: `The policy has an unknown key or an invalid value. vsmmu ignores neither, because a misspelt key would have no
    effect.`,
  remedy: `Correct what the message names. If the file names its schema, an editor can complete keys and values.`,
  example: `{
  "$schema": "./schemas/policy.schema.json",
  "sparePorts": 2,
  "bypass": ["0006:01:00.0"]
}`,
});

export const topologyInvalid = defineCases('topology-invalid', {
  severity: 'error',
  messages: {
    ...JSON_MESSAGES,
    duplicate: (a: { path: string; value: string | number }) => `${at(a.path)}: ${a.value} occurs twice`,
    unknownSmmu: (a: { path: string; smmu: string }) => `${at(a.path)}: ${JSON.stringify(a.smmu)} is not in smmus`,
    unknownBridge: (a: { path: string; bridge: string }) => `${at(a.path)}: ${a.bridge} is not a bridge in devices`,
    belowItself: (a: { path: string; device: string }) => `${at(a.path)}: ${a.device} is below itself`,
    groupSmmus: (a: { path: string; device: string; group: number; smmu: string | null }) =>
      `${at(a.path)}: ${a.device} is also in IOMMU group ${a.group}, but behind ${a.smmu ?? 'no SMMU'}`,
    distances: (a: { path: string; nodes: number }) => `${at(a.path)}: must have ${a.nodes} items, one for each node`,
  },
  meaning: 'the host snapshot is not JSON, does not fit its schema, or contradicts itself',
  why: `The snapshot is incomplete, or was edited into a host that cannot exist: for example a device behind an SMMU that is not in
    the snapshot, or a bridge below itself.`,
  remedy: `Take a new snapshot on the host; the message names the path in the old one.`,
  example: `vsmmu topology --json > host.json`,
});

export const topologyMapInvalid = defineCases('topology-map-invalid', {
  severity: 'error',
  messages: JSON_MESSAGES,
  meaning: 'the map of domains to hosts is not a JSON object of file names',
  why: `The file of --topology-map is a JSON object. A key is the file or the name of a domain, or *. Its value is the file of a
    topology, relative to the map's own folder.`,
  remedy: `Correct what the message names.`,
  example: `{ "*": "host.json" }`,
});

export const vmiInvalid = defineCases('vmi-invalid', {
  severity: 'error',
  messages: JSON_MESSAGES,
  meaning: 'the virtual machine that KubeVirt passes is not the JSON of a VirtualMachineInstance',
  why: `KubeVirt's sidecar-shim passes the virtual machine as JSON (--vmi) and its domain as XML (--domain) to onDefineDomain. The
    JSON is incomplete, is something else, or has an annotation that is not a string.`,
  remedy: `Check how the shim calls onDefineDomain. The machine is not started.`,
  example: `onDefineDomain --vmi '{"metadata": {"name": "vm", "annotations": {}}}' --domain "$(cat domain.xml)"`,
});
