// The types of the library's inside, with what each part is for: here and not in the modules, so that a browser does not have to load it.

import type {
  BoardState, ConnectionState, ErrorCode, Exchange, FieldState, FormLeaf, Motionboard, MotionboardError, Suggestions, Video, VideoStatus,
  Workspace,
} from "../motionboard.js";

/** What the library needs of a browser; tests bring their own. `browser.js` is the real one. */
export interface Platform {
  /** Unix milliseconds, by a clock that may be wrong and may jump. */
  now(): number;
  /** 0 ≤ n < 1. */
  random(): number;
  /** An id that nobody else makes, of 1–64 characters. */
  id(): string;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Calls back about each `ms`, in a hidden tab too. Returns what ends it. */
  every(ms: number, callback: () => void): () => void;
  fetch(url: string, init: RequestInit): Promise<Response>;
  connect(url: string, protocols: string[]): Socket;
  /** `fetch` can't tell how far an upload is. Rejects if there was no answer. */
  upload(request: UploadRequest): Promise<{ status: number; retryAfter: string | null; text: string }>;
  /** Where edits are kept: for all tabs of this origin, across reloads. */
  store: Store;
  /** A text of this tab's own, kept across reloads. */
  tab: { read(): string | null; write(text: string): void };
  /** Takes a name until the page ends, or `unlock`, if nobody else has it. `wait`: up to that many ms. */
  lock(name: string, wait: number): Promise<boolean>;
  unlock(name: string): void;
  /** `hidden`: may be frozen or closed from now on; `leave`: is about to be; `shown`: to the front again. Returns what ends it. */
  on(event: "hidden" | "leave" | "shown" | "online" | "offline", callback: () => void): () => void;
  /** The page's address, which relative ones are relative to. */
  base: string;
}

/** The part of a WebSocket that is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface UploadRequest {
  method: string;
  url: string;
  headers: { [name: string]: string };
  body: Blob | FormData;
  onProgress: (fraction: number) => void;
  signal: AbortSignal;
}

export interface Store {
  all(): Promise<Array<[string, unknown]>>;
  /** All of it or nothing, in the order of calls. `undefined` removes. Resolves when it is kept. */
  write(changes: Array<[string, unknown]>): Promise<void>;
}

/** A frame to the server, as it is kept and repeated: never changed once the server may have carried it out. Contract §1. */
export interface Frame {
  request_id: string;
  client_id: string;
  timestamp: number;
  type: "workspace.create" | "workspace.update" | "workspace.delete" | "workspace.reorder" | "video.cancel";
  data: FrameData;
  /** Counted up: what was done later has more, whichever client's frame it is and whatever the clock said. Kept, not sent. */
  order: number;
  /** Paths, or workspaces of a reorder, that something later is stored for: of no more interest, but a part of every repeat. */
  outdated?: string[];
  /** With the optimistic lock: what each path held when the person began to change it. */
  bases?: Leaves;
}

export interface FrameData {
  workspace_id?: string;
  order_index?: number;
  updates?: Leaves;
  client_timestamp?: number;
  reorder_map?: { [id: string]: number };
}

export type Leaves = { [path: string]: FormLeaf };

/** A workspace as the server sends it; the library's own has more. */
export type Document = Pick<
  Workspace,
  "order_index" | "image_path" | "image_url" | "form_data" | "video" | "ai_collaboration" | "created_at" | "updated_at"
> & { _id: string };

/** What the server sends. Which members `data` has is said by `type`; contract §3. */
export interface Message {
  type: string;
  timestamp: number;
  request_id?: string;
  data: {
    workspace_id?: string;
    workspace?: Document;
    order_index?: number;
    created_at?: string;
    updated_at?: string;
    updates?: Leaves;
    reorder_map?: { [id: string]: number };
    status?: VideoStatus;
    video_url?: string;
    entry?: Exchange;
    error?: string;
    message?: string;
    code?: ErrorCode;
    context?: { [name: string]: unknown };
  };
}

// ---------------------------------------------------------------------------------------------------- what is kept: kept.js

/**
 * Who this tab is, and its clock. The server orders a client's frames by their timestamps, and so the id stays the same across
 * reloads, is never two tabs' at once (a duplicated tab gets another), and no timestamp is given twice or falls behind.
 */
export interface Identity {
  readonly client: string;
  /** Takes the id of this tab, or a new one. Nothing may be stamped before. */
  claim(): Promise<void>;
  /** The timestamp of the next frame: `max(now, last + 1)`. By the server's clock where ours is much ahead. */
  stamp(): number;
  /**
   * Learns what time the server has. A clock that was ahead and was put right leaves a last timestamp in the future, with which
   * nothing would be taken for as long: then this tab is somebody else from now on.
   */
  heard(timestamp: number): void;
  /** Whether the server would refuse a timestamp, as far as is known. */
  isAhead(timestamp: number): boolean;
  /** Notes whether the page may be about to end: what comes after it then waits for it. */
  leave(leaving: boolean): void;
  /** Takes over what another client has left, if its tab is gone. */
  adopt(client: string): Promise<boolean>;
  /** Lets others take over. */
  release(): void;
}
/** `scope`: which board's and account's. */
export type MakeIdentity = (platform: Platform, scope: string) => Identity;

/** Writes what is kept, one transaction after the other: what changes while one is under way goes into the next, together. */
export interface Keeper {
  all(): Promise<Array<[string, unknown]>>;
  /** `undefined` removes. */
  put(key: string, value: unknown): void;
  /** Resolves when everything is kept. */
  settled(): Promise<void>;
}
/** What can't be kept is not lost for as long as the page lives; `onError` should say it. */
export type MakeKeeper = (store: Store, scope: string, onError: () => void) => Keeper;

// ---------------------------------------------------------------------------------------------------- the wire: wire.js

/**
 * The one WebSocket, made anew as often as it takes. A planned change of connections (the gateway ends them after 2 h, the server at the
 * end of a token) overlaps, and nobody is told of it.
 */
export interface Connection {
  readonly state: ConnectionState;
  readonly attempt: number;
  readonly retryAt: number | null;
  readonly isOpen: boolean;
  /** Connects now, with all attempts ahead. */
  start(): void;
  stop(): void;
  /** The token is no good. With `renew`, another one is tried. */
  unauthorized(renew: boolean): void;
  /** Says whether there is a connection. */
  send(text: string): boolean;
  /** Looks whether the connection lives, and may ping. */
  check(ping: boolean): void;
  hasHeardSince(moment: number): boolean;
  /** Gives the connection up, which nobody else may have noticed, and makes another at once. */
  suspect(): void;
}
export interface ConnectionEvents {
  /** After a connection was lost, unnoticed perhaps, or for the first time: what happened meanwhile is not known. */
  open(): void;
  message(message: Message): void;
  lost(): void;
  /** Another connection has taken over. */
  replaced(): void;
  /** A handshake failed, for whatever reason: browsers don't say. */
  refused(): void;
  change(): void;
}
export type GetToken = (renew: boolean) => Promise<string | null>;
export type MakeConnection = (platform: Platform, url: string, token: GetToken, on: ConnectionEvents) => Connection;

/** The REST API: one call, one answer, one kind of error. */
export interface Rest {
  /** An address that the server gave, absolute. */
  resolve<T extends string | null>(url: T): T;
  /** The `data` of an answer. What the network or the server failed at is repeated, if that was asked for. */
  call(method: "GET" | "POST", path: string, content?: Content): Promise<any>;
  /** Makes a request with a token, and once more with a fresh one where that was refused. */
  authorized<T>(request: (headers: { [name: string]: string }) => Promise<T>): Promise<T>;
  /** Repeats what may be carried out twice, for as long as it may help. */
  repeated<T>(request: () => Promise<T>): Promise<T>;
}
export interface Content {
  json?: object;
  headers?: { [name: string]: string };
  repeat?: boolean;
}
export interface Image {
  image_path: string;
  image_url: string;
}
export type MakeRest = (platform: Platform, base: string, token: GetToken) => Rest;

/** Loads the list: one reading at a time, and one more where somebody asks meanwhile. */
export interface Loader {
  /** Resolves when a list is loaded that was asked for from now on, or when that failed. */
  load(): Promise<void>;
  /** Unless that is planned already. */
  loadLater(ms: number): void;
  stop(): void;
}
export type MakeLoader = (platform: Platform, rest: Rest, replica: Replica, on: {
  /** Which workspaces should be in the list, though the replica may not know them. */
  wanted(): string[];
  /** With the ids that the list does not have, or no longer. */
  loaded(gone: string[]): void;
  /** Says whether to try again. */
  failed(error: MotionboardError): boolean;
}) => Loader;

// ---------------------------------------------------------------------------------------------------- what is asked for: requests.js

/** What requests need of a board. */
export interface Parts {
  platform: Platform;
  rest: Rest;
  connection: Connection;
  replica: Replica;
  screen: Screen;
  loader: Loader;
}
/** Tells the connection, too, that a token is no good. */
export type Asked = <T>(parts: Parts, call: Promise<T>) => Promise<T>;
export type UploadImage = (
  parts: Parts, file: Blob, onProgress: (fraction: number) => void, signal: AbortSignal,
) => Promise<Image>;
/** Of a workspace as it is shown. */
export type Generate = (parts: Parts, id: string, shown: Workspace) => Promise<void>;
export type Suggest = (parts: Parts, id: string, shown: Workspace, input: string) => Promise<Suggestions>;

// ---------------------------------------------------------------------------------------------------- what the server said: replica.js

/**
 * What the server said, put together from lists, pushes and acknowledgements, which overtake each other. Contract §3: a path of an event
 * is applied if the event's `updated_at` is newer than the last that was applied to that path; deleted ids are remembered.
 */
export interface Replica {
  document(id: string): Document | undefined;
  documents(): Document[];
  /** To be taken before a list is asked for: what is learned later is newer than the list may be. */
  moment(): number;
  /** Takes in a list; says what it no longer has, and whether an order that was told meanwhile is unsure. */
  list(documents: Document[], asked: number): { gone: string[]; isStale: boolean };
  /** Takes in a push. False if it is about a workspace that should be known. */
  hear(message: Message): boolean;
  /** Takes in that a frame of ours is stored. Of paths that a later frame of ours has, that one's answer counts. */
  stored(frame: Frame, data: Message["data"], isNewest: (path: string, workspace?: string) => boolean): void;
  /** Notes the task of a video that was just begun, unless something newer was told. */
  begun(id: string, before: Video, task: string): void;
  remove(id: string): void;
}
export type MakeReplica = () => Replica;

/** One workspace of a replica. */
export interface Known {
  document: Document;
  /** `updated_at` of the list or push that brought it whole. */
  base: number;
  /** `updated_at` of what is newer than that. */
  paths: Map<string, number>;
  /** When it was first heard of, counted in events. */
  learned: number;
  /** When its place was last told, which is told without an `updated_at`. */
  placed: number;
}

// ---------------------------------------------------------------------------------------------------- what the person did: outbox.js, drafts.js

/** A frame on its way. */
export interface Entry {
  frame: Frame;
  /** `failed`: no answer to any repeat; `refused`: to send it again is no use. */
  state: "waiting" | "sent" | "failed" | "refused";
  sends: number;
  /** Whether the server may have it already, from an earlier life of the page. */
  isOld: boolean;
  restamps: number;
  error: MotionboardError | null;
  /** Not to be sent yet: it can still be undone. */
  isHeld: boolean;
  timer: unknown;
  waiters: Array<(error?: MotionboardError) => void>;
}

/** The frames that the server has not acknowledged: kept in the browser, sent when there is a connection, repeated as they are. */
export interface Outbox {
  /** In their order. */
  entries(): Entry[];
  find(requestId: string): Entry | undefined;
  /** A new frame, which is sent as soon as it can be, or after `delay` ms. */
  add(type: Frame["type"], data: FrameData, more?: Pick<Frame, "bases">, delay?: number): Entry;
  /** Frames of before: of this tab, or of one that is gone. They stay what they were, and come before what is done now. */
  restore(frames: Frame[]): void;
  /** Whether nothing was done later with the path of the workspace. */
  isNewest(entry: Entry, path: string, workspace?: string): boolean;
  /** Sends everything that waits for a connection, also what had failed for want of an answer. */
  transmitAll(): void;
  /** Begins anew with all that had no answer. */
  retryFailed(): void;
  /** Begins anew with one that failed or was refused. */
  again(entry: Entry): void;
  /** The connection is gone: nothing that is under way will be answered there. */
  disconnected(): void;
  /** Sends what could still be undone. */
  hurry(): void;
  /** Takes in an error that the server may get over, after which the next repeat comes by itself. Says whether it is such a one. */
  bears(entry: Entry, error: MotionboardError): boolean;
  /**
   * What comes of a frame that the server has refused, which it surely has not carried out. `gone`: its workspace was deleted elsewhere;
   * `forgotten`: by us; `outdated`: the list must be loaded; `conflict`: also, and its edits are to be a draft again.
   */
  refused(entry: Entry, error: MotionboardError): "gone" | "forgotten" | "outdated" | "conflict" | "kept";
  /** Makes another frame of one that the server surely has not carried out. */
  change(entry: Entry, frame: Frame): void;
  /** It is stored. */
  done(entry: Entry): void;
  /** Nobody wants it any more: `error` is for who waits for it. */
  drop(entry: Entry, error?: MotionboardError): void;
  /** When it is stored, or what keeps it from being. */
  settled(entry: Entry): Promise<void>;
  /** A workspace has got its id. */
  rename(from: string, to: string): void;
  stop(): void;
}
export type MakeOutbox = (
  platform: Platform, identity: Identity, keeper: Keeper, send: (text: string) => boolean,
  on: { failed(entry: Entry): void; change(): void },
) => Outbox;

/** Edits of a workspace that no frame was made of yet. */
export interface Draft {
  workspace: string;
  updates: Leaves;
  /** What each path held when the person began to change it. */
  bases: Leaves;
}

/** What was typed and not sent yet: one draft for each workspace, kept in the browser with each keystroke. */
export interface Drafts {
  all(): Draft[];
  /** Takes up what was kept: by this tab's last life, and by tabs that are gone. */
  restore(): Promise<void>;
  type(workspace: string, updates: Leaves): void;
  /** Waits no longer for another keystroke. */
  pause(workspace: string): void;
  flush(): void;
  /** Makes frames of drafts, if they can be sent and nobody is typing. */
  seal(workspace: string): void;
  sealAll(): void;
  /** Edits of a frame that is not to be sent again. What was typed since stays. */
  putBack(draft: Draft): void;
  /** What another device wrote at a path that the person is changing, if that is to be asked about. */
  conflict(workspace: string, path: string): FormLeaf | undefined;
  resolve(workspace: string, path: string, keep: "mine" | "theirs"): void;
  /** Of one workspace, which may have got another id. */
  discard(workspace: string): void;
  rename(from: string, to: string): void;
  stop(): void;
}
export type MakeDrafts = (platform: Platform, parts: {
  identity: Identity;
  keeper: Keeper;
  outbox: Outbox;
  replica: Replica;
  /** Whether frames can be sent. */
  isOpen: () => boolean;
  /** Whether another device's change of the same path is asked about. */
  asks: boolean;
  onChange: () => void;
}) => Drafts;

// ---------------------------------------------------------------------------------------------------- what is shown: screen.js

/** What the person did to one workspace since the server said how it is. */
export interface Overlay {
  /** By path, the newest of each. */
  edits: Map<string, { value: FormLeaf; state: FieldState }>;
  creation: Entry | null;
  place: number | null;
  isRemoved: boolean;
}

/** What the page shows: the replica, and above it what the person did since. */
export interface Screen {
  readonly state: BoardState;
  /** Whether the list was loaded once. */
  readonly isLoaded: boolean;
  /** Why it can't be loaded now. */
  readonly error: MotionboardError | null;
  show(outbox: Outbox, drafts: Drafts): void;
  subscribe(listener: () => void): () => void;
  /** Something may look different now. Listeners are told once for all changes of one moment. */
  changed(): void;
  loaded(error: MotionboardError | null): void;
  /** Signed addresses of before are no good, whatever the clock says. */
  renew(): void;
  /** Of a key; or the id itself. */
  idOf(key: string): string;
  /** Of an id; or the key itself. */
  keyOf(id: string): string;
  /** A workspace has got its id. Its key stays. */
  rename(key: string, id: string): void;
  workspace(id: string): Workspace | undefined;
  /** What was not stored of it, and how it was shown last, though it may be gone, or was never shown. */
  unsaved(id: string): { workspace: Workspace; updates: Leaves } | undefined;
  forget(id: string): void;
  hold(id: string, path: string): () => void;
  typed(id: string, edits: Leaves): void;
  /** A video is asked for, until the returned function is called. */
  request(id: string): () => void;
}
export type MakeScreen = (
  platform: Platform, replica: Replica, connection: Connection, resolve: <T extends string | null>(url: T) => T,
) => Screen;

/** All of it together; `motionboard.d.ts` says what it does. */
export type Board = Pick<Motionboard, keyof Motionboard>;
