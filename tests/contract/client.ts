// Calls every operation through the types that openapi-typescript made of the document, against the real routes.
//
// Ends with an error where an operation was not called with success: a new route needs a call here.
import { readFileSync } from "node:fs";

import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./generated/tidegate.js";

type Schemas = components["schemas"];

const stack = JSON.parse(process.env.TIDEGATE_ROUTES ?? "{}") as Record<
  "url" | "operator" | "provisioning" | "webhook",
  string
>;
const repository = "docker.io/acme/app";
const called = new Set<string>();

const watching: Middleware = {
  onResponse({ request, response, schemaPath }) {
    if (response.status < 400) called.add(`${request.method.toLowerCase()} ${schemaPath}`);
  },
};

function caller(token?: string) {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const client = createClient<paths>({ baseUrl: stack.url, headers });
  client.use(watching);
  return client;
}

interface Answer<T> {
  data?: T | undefined;
  error?: Schemas["Problem"] | undefined;
  response: Response;
}

/** What was answered, or an error that says what went wrong. */
function got<T>({ data, error, response }: Answer<T>): T {
  if (data === undefined) {
    throw new Error(`${response.status} ${response.url}: ${error?.type ?? ""} ${error?.detail ?? ""}`);
  }
  return data;
}

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it never came to that");
}

const digest = (text: string) => `sha256:${Buffer.from(text).toString("hex").padStart(64, "0")}`;

function pushOf(tag: string): Schemas["RegistryDelivery"] {
  const target = {
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: digest(tag),
    repository: "acme/app",
    tag,
    url: `https://docker.io/v2/acme/app/manifests/${digest(tag)}`,
  };
  const request = { id: "r", host: "docker.io", method: "PUT" };
  return { events: [{ id: tag, timestamp: new Date().toISOString(), action: "push", target, request }] };
}

const anyone = caller();
const operator = caller(stack.operator);
const provisioning = caller(stack.provisioning);
const registry = caller(stack.webhook);

expect(got(await anyone.GET("/api/v1/health")).status === "ok", "the routes are there");
got(await anyone.GET("/api/v1/openapi.json"));

// A policy is made, read, changed as it was read, and removed.
const body: Schemas["PolicyBody"] = {
  name: "app",
  image_pattern: `${repository}:*`,
  update_strategy: "auto",
  staged_batches: [1, "10%", "100%"],
  max_failure_rate: "20%",
  health_check: { type: "http", endpoint: "http://localhost:8080/health", retry_count: 1 },
};
const policy = got(await operator.POST("/api/v1/image-policies", { body }));
const policies = got(await operator.GET("/api/v1/image-policies", { params: { query: { limit: 10 } } }));
expect(policies.items[0]?.id === policy.id, "the policy is listed");
const ofPolicy = { path: { id: policy.id } };
const read = await operator.GET("/api/v1/image-policies/{id}", { params: ofPolicy });
const header = { "If-Match": read.response.headers.get("etag") ?? "" };
const changed: Schemas["PolicyBody"] = { ...got(read), soak_seconds: 0 };
const written = got(await operator.PUT("/api/v1/image-policies/{id}", { params: { ...ofPolicy, header }, body: changed }));
expect(written.soak_seconds === 0 && written.health_check.type === "http", "the policy is changed");
const spare = got(
  await operator.POST("/api/v1/image-policies", { body: { name: "spare", image_pattern: "docker.io/acme/spare" } }),
);
await operator.DELETE("/api/v1/image-policies/{id}", { params: { path: { id: spare.id } } });

const set: Schemas["PolicySet"] = { policies: [{ name: "of a set", image_pattern: "docker.io/acme/set" }] };
const apply = async (query: { dry_run?: boolean; plan?: string }) =>
  got(await operator.POST("/api/v1/image-policies/apply", { params: { query }, body: set }));
const { plan } = await apply({ dry_run: true });
expect((await apply({ plan })).parts === 1, "the set is applied");

// Devices are enrolled, read, changed and removed.
const enrol = async () =>
  got(
    await provisioning.POST("/api/v1/devices", {
      body: { fleet_id: "north", tags: { region: "eu" }, services: { web: { image: `${repository}:v1` } } },
    }),
  );
const [credential, gone] = [await enrol(), await enrol()];
const ofDevice = { path: { uuid: credential.uuid } };
const ofGone = { params: { path: { uuid: gone.uuid } } };
got(await operator.GET("/api/v1/devices/{uuid}", { params: ofDevice }));
const renamed = got(await operator.PATCH("/api/v1/devices/{uuid}", { params: ofDevice, body: { name: "gate 12" } }));
expect(renamed.name === "gate 12", "the device has its name");
got(await operator.POST("/api/v1/devices/{uuid}/allow-reenrolment", ofGone));
await operator.DELETE("/api/v1/devices/{uuid}", ofGone);
const devices = got(await operator.GET("/api/v1/devices", { params: { query: { tag: ["region:eu"], status: "idle" } } }));
expect(devices.items.length === 1, "the other device is gone");

// A push becomes a rollout; the device takes it.
const source = { path: { source: "docker-registry" } };
const pushed = got(await registry.POST("/api/v1/webhooks/{source}", { params: source, body: pushOf("v2") }));
const first = pushed.rollout_id ?? "";
const of = (id: string) => ({ params: { path: { id } } });
const status = async (id: string) => got(await operator.GET("/api/v1/rollouts/{id}", of(id))).status;
await until(async () => (await status(first)) === "in_progress");
const device = caller(credential.token);
const state = await device.GET("/api/v1/device/{uuid}/state", { params: ofDevice });
const web = got(state).services["web"];
expect(web?.rollout?.action === "update", "the device is offered the image");
const known = { ...ofDevice, header: { "If-None-Match": state.response.headers.get("etag") ?? "" } };
const same = await device.GET("/api/v1/device/{uuid}/state", { params: known });
expect(same.response.status === 304, "nothing is new");
const report: Schemas["ReportedEvent"] = {
  id: "1", rollout_id: first, service: "web", event: "device.image_pulling", seq: 1,
};
const told = await device.PATCH("/api/v1/device/{uuid}/state", { params: ofDevice, body: { reports: [report] } });
expect(got(told).accepted === 1, "the report is taken");
const running = got(
  await operator.GET("/api/v1/rollouts", { params: { query: { status: "in_progress", image: repository } } }),
);
expect(running.items[0]?.rollout_id === first, "the rollout is listed");
const rows = got(await operator.GET("/api/v1/rollouts/{id}/devices", { params: { ...of(first).params, query: { batch: 1 } } }));
expect(rows.items[0]?.device_uuid === credential.uuid, "the device has a row");
const events = got(await operator.GET("/api/v1/rollouts/{id}/events", of(first)));
expect(events.items.some((event) => event.event === "image.rollout_started"), "the start is an event");

// It is paused, goes on, is cancelled and taken back; its digest is kept out, and let in again.
const why = { body: { reason: "looking at it" } };
const paused = got(await operator.POST("/api/v1/rollouts/{id}/pause", { ...of(first), ...why }));
expect(paused.changed && paused.status === "paused", "it is paused");
got(await operator.POST("/api/v1/rollouts/{id}/resume", { ...of(first), ...why }));
got(await operator.POST("/api/v1/rollouts/{id}/cancel", of(first)));
const back = got(await operator.POST("/api/v1/rollouts/{id}/rollback-all", { ...of(first), body: { max_in_flight: 5 } }));
expect(back.status === "rolling_back", "it is taken back");
const cleared = { path: { digest: digest("v2") }, query: { repository, reason: "mended" } };
got(await operator.DELETE("/api/v1/images/bad/{digest}", { params: cleared }));

// By hand, and with an approval.
const trigger = async (tag: string, dry_run: boolean) =>
  got(
    await operator.POST("/api/v1/images/trigger-update", {
      params: { query: { dry_run } },
      body: { image: `${repository}@${digest(tag)}`, strategy: "manual", filters: { fleet_id: "north" } },
    }),
  );
const dry = await trigger("v3", true);
expect("total_devices" in dry && dry.total_devices === 1, "a dry run tells how many");
const triggered = async (tag: string) => {
  const answer = await trigger(tag, false);
  expect("rollouts" in answer && answer.rollout_id !== undefined, "a trigger makes a rollout");
  const id = answer.rollout_id;
  await until(async () => (await status(id)) === "awaiting_approval");
  return id;
};
got(await operator.POST("/api/v1/rollouts/{id}/approve", of(await triggered("v3"))));
got(await operator.POST("/api/v1/rollouts/{id}/reject", of(await triggered("v4"))));

// A registry that cannot sign; and what it told, looked at again.
const inPath = { path: { ...source.path, token: stack.webhook } };
const delivered = got(await anyone.POST("/api/v1/webhooks/{source}/{token}", { params: inPath, body: pushOf("v5") }));
got(await operator.POST("/api/v1/deliveries/replay", { body: { delivery_id: delivered.delivery_id, force: true } }));

const document = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as { paths: Record<string, object> };
const wanted = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method} ${path}`),
);
const missing = wanted.filter((operation) => !called.has(operation));
expect(missing.length === 0, `not called with success: ${missing.join(", ")}`);
console.log(`${called.size} operations of ${wanted.length} called`);
