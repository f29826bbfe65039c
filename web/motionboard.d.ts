/**
 * Motionboard's client: keeps a board of workspaces in step with the server, and loses nothing that a person typed.
 *
 *     import { Motionboard } from "./motionboard.js";
 *
 *     const board = new Motionboard({ api: "https://….execute-api.us-east-1.amazonaws.com", socket: "wss://…/prod" });
 *     board.subscribe(() => render(board.state));
 *     await board.open();
 *     board.edit(id, { "form_data.motion_prompt": "人物转身" }); // shown at once, sent after 300 ms, repeated until stored
 *
 * What is shown is always the newest thing that the person did; what the server says is put below it. An edit is kept in IndexedDB
 * from the moment it is made until the server has acknowledged it, so that a reload, a crash or a night without a network lose none.
 */

/** A value of the form. Arrays are flat; an object stands for its leaves. */
export type FormLeaf = string | number | boolean | null | Array<string | number | boolean | null>;
export type FormValue = FormLeaf | { [name: string]: FormValue };

/** New values by dotted path: `form_data.<name>` (up to four names), `image_path`, `image_url` (as the server writes it: `/api/` + `image_path`). */
export type Updates = { [path: string]: FormValue };

export type VideoStatus = "pending" | "generating" | "completed" | "failed";

/** An earlier video of a workspace. Dates are RFC 3339 in UTC. */
export interface Take {
  readonly task_id: string | null;
  readonly url: string;
  readonly created_at: string;
}

export interface Video {
  readonly status: VideoStatus;
  readonly task_id: string | null;
  /** Where the finished video is; absolute. */
  readonly url: string | null;
  /** Why there is none, in Chinese. */
  readonly error: string | null;
  /** The finished ones before it, oldest first, ten at most. */
  readonly history: readonly Take[];
}

export interface Suggestions {
  readonly camera_movement?: string;
  readonly shot_type?: string;
  readonly lighting?: string;
  readonly motion_prompt?: string;
  readonly reasoning: string;
}

/** An exchange with the assistant. */
export interface Exchange {
  readonly user_input: string;
  readonly suggestions: Suggestions;
  readonly created_at: string;
}

export interface FormData {
  readonly camera_movement: string;
  readonly shot_type: string;
  readonly lighting: string;
  readonly motion_prompt: string;
  readonly checkboxes: { readonly [name: string]: FormValue };
  readonly [name: string]: FormValue | undefined;
}

/**
 * How far an edit of a path is: on its way (also: waiting for a connection), given up after three repeats or refused (`error`; it
 * is kept, see {@link Motionboard.retry}), or in conflict with another device's (see {@link Motionboard.resolve}). A path that is not
 * listed is saved.
 */
export interface FieldState {
  readonly state: "saving" | "failed" | "conflict";
  readonly error: MotionboardError | null;
  /** With `conflict`: what the other one wrote. */
  readonly theirs?: FormLeaf;
}

/** A workspace as it is to be shown: what the server said last, and above it what the person did since. Never changes: a change is another object. */
export interface Workspace {
  /** Stays the same for as long as the page lives, while `_id` appears when the server has made the workspace. All methods take either. */
  readonly key: string;
  /** Null until the server has made it. */
  readonly _id: string | null;
  readonly order_index: number;
  readonly image_path: string | null;
  /** Where the picture is; absolute. It keeps its address for as long as that is good, so that an `<img>` doesn't load it again. */
  readonly image_url: string | null;
  readonly form_data: FormData;
  readonly video: Video;
  readonly ai_collaboration: readonly Exchange[];
  readonly created_at: string;
  readonly updated_at: string;
  /** The worst of all its edits. */
  readonly saving: "saved" | "saving" | "failed" | "conflict";
  /** What is not saved yet, by path; `""` stands for the workspace's own creation. */
  readonly fields: { readonly [path: string]: FieldState };
  /** A video was asked for, and the server has not answered yet. */
  readonly requesting: boolean;
}

/**
 * - `connecting`: for the first time
 * - `open`
 * - `reconnecting`: it was lost; `retryAt` says when it is tried again
 * - `offline`: given up after ten attempts; {@link Motionboard.retry}, the browser's `online` event and coming back to the page start anew
 * - `unauthorized`: the server wants a token, or another one; {@link Motionboard.retry} asks `getToken` again
 * - `closed`: by {@link Motionboard.close}, or not opened yet
 */
export type ConnectionState = "connecting" | "open" | "reconnecting" | "offline" | "unauthorized" | "closed";

/** The board at one moment. Never changes: a change is another object, and what did not change in it is the same object as before. */
export interface BoardState {
  readonly connection: ConnectionState;
  /** While `reconnecting`: which attempt comes next, from 1. */
  readonly attempt: number;
  /** While `reconnecting`: when, in Unix milliseconds. */
  readonly retryAt: number | null;
  /** Whether the list was loaded once. Until then `workspaces` is not the whole board. */
  readonly loaded: boolean;
  /** Why the list can't be loaded now. */
  readonly error: MotionboardError | null;
  /** By `order_index`, then `created_at`. */
  readonly workspaces: readonly Workspace[];
  /** The worst of all edits, those of deletions and of the order included. */
  readonly saving: "saved" | "saving" | "failed" | "conflict";
}

/**
 * The contract's codes, and four of the client's own: `NETWORK` (the server can't be reached), `TIMEOUT` (nor answers in time),
 * `GATEWAY_ERROR` (something in front of it answered), `ABORTED` (by the caller).
 */
export type ErrorCode =
  | "INVALID_PARAMS" | "UNAUTHORIZED" | "WORKSPACE_NOT_FOUND" | "IMAGE_NOT_FOUND" | "NOT_FOUND" | "VIDEO_IN_PROGRESS"
  | "FILE_TOO_LARGE" | "UNSUPPORTED_FILE_TYPE" | "RATE_LIMITED" | "DB_ERROR" | "THIRD_PARTY_ERROR" | "SERVICE_UNAVAILABLE"
  | "INVALID_DATA" | "CONFLICT"
  | "NETWORK" | "TIMEOUT" | "GATEWAY_ERROR" | "ABORTED";

/** Whatever goes wrong. `message` is the server's, in Chinese, or the client's, in English: show it, or one of your own by `code`. */
export declare class MotionboardError extends Error {
  constructor(code: ErrorCode, message: string, more?: { status?: number; details?: object; retryAfter?: number });
  readonly code: ErrorCode;
  /** Of HTTP; 0 where there is none. */
  readonly status: number;
  /** `details` of the REST API, `context` of a frame. */
  readonly details: { readonly [name: string]: unknown };
  /** Seconds after which another try is worth it; 0 if nobody said. */
  readonly retryAfter: number;
}

export interface Options {
  /** The stack's output `RestUrl`; empty for the page's own origin. */
  api?: string;
  /** The stack's output `WebSocketUrl`; empty for the page's own origin. */
  socket?: string;
  /**
   * A token, where the server asks for one. Called before each connection and request, so it should remember; with `renew` the last
   * one was refused, or ends within a minute. Null: nobody is signed in.
   */
  getToken?: (request: { renew: boolean }) => Promise<string | null> | string | null;
  /** Whose edits are kept in this browser: one who signs in after another must not send the other's. By default the token's `sub`. */
  account?: string;
  /**
   * What happens when another device has changed the same field meanwhile. `overwrite` (the default): the last to arrive wins.
   * `ask`: frames carry `client_timestamp`; what doesn't touch is merged, what does becomes `conflict`.
   */
  conflicts?: "overwrite" | "ask";
}

/** What a page is told beside changes of {@link BoardState}. */
export interface Events {
  /** A workspace is gone (deleted by another tab or device), and with it these edits that were not stored yet. */
  lost: { workspace: Workspace; updates: { [path: string]: FormLeaf } };
  /** Something failed that no caller waits for. With `details.kept` false this browser can't keep edits: they are gone with the page. */
  error: MotionboardError;
}

export declare class Motionboard {
  constructor(options?: Options);

  /** The board now. Made for stores of frameworks too: `useSyncExternalStore(board.subscribe, () => board.state)`. */
  readonly state: BoardState;

  /** Calls `listener` after changes of {@link state}, many of one moment together. Returns what ends it. */
  subscribe: (listener: () => void) => () => void;

  /** Calls `listener` at each event. Returns what ends it. */
  on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void;

  /**
   * Reads what was not sent last time, connects, and loads the list. Resolves when the list was tried once; nothing may be done before.
   * What is done before anybody is signed in belongs to whoever signs in on this page.
   */
  open(): Promise<void>;

  /** Sends what is not sent yet, and ends. What was not acknowledged, and deletions that could still be undone, are sent by the next one. */
  close(): void;

  /** Tries again now: the connection, the list, and all edits that failed (of one workspace, if it is named). */
  retry(workspace?: string): void;

  /** Loads the list again. Needed by a page only when a signed address has run out. */
  refresh(): Promise<void>;

  /** One workspace of {@link state}. */
  workspace(id: string): Workspace | undefined;

  /** Makes a workspace, at the end unless `order_index` says where. It is on the board at once; returns its key. */
  create(options?: { order_index?: number }): string;

  /** Changes paths. Sent 300 ms after the last edit of the workspace; with `now`, at once. */
  edit(workspace: string, updates: Updates, options?: { now?: boolean }): void;

  /**
   * What others write to `path` is not shown until the returned function is called: for as long as the person types there. Their
   * own edits are.
   */
  hold(workspace: string, path: string): () => void;

  /** Settles a `conflict`. */
  resolve(workspace: string, path: string, keep: "mine" | "theirs"): void;

  /**
   * Removes a workspace from the board at once, and from the server after `delay` (ms, 0), also if the page is closed meanwhile.
   * Returns an undo, which says whether it was in time.
   */
  remove(workspace: string, options?: { delay?: number }): () => boolean;

  /** Puts a workspace before another, or at the end. */
  move(workspace: string, before: string | null): void;

  /**
   * Sends a picture, and puts it into the workspace. Refused before anything is sent: what is no JPEG, PNG or WebP by its content
   * (`UNSUPPORTED_FILE_TYPE`; so is what is empty), and what is over 10 MiB (`FILE_TOO_LARGE`). Up to 4 MB go through the API, the rest straight to the store.
   * A second upload into the same workspace aborts the first.
   */
  upload(
    workspace: string,
    file: Blob,
    options?: { onProgress?: (fraction: number) => void; signal?: AbortSignal },
  ): Promise<{ image_path: string; image_url: string }>;

  /** Asks for a video of the workspace as it is shown. Repeated safely where the network fails: it is paid once. */
  generate(workspace: string): Promise<void>;

  /** Stops the video that is being made now. Never repeated over another connection: it might stop a later one. */
  cancel(workspace: string): Promise<void>;

  /** Asks the assistant; the exchange is in `ai_collaboration` then, too. Not repeated by itself. */
  suggest(workspace: string, input: string): Promise<Suggestions>;
}

/** 10 MiB: the largest picture. */
export declare const MAX_IMAGE_BYTES: number;
/** What a picture may be. */
export declare const IMAGE_TYPES: readonly string[];
