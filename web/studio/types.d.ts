// The types of the studio's inside, with what they are for: here and not in the modules, so that a browser does not have to load it.

import type * as library from "../motionboard.js";

declare global {
  type Board = library.Motionboard;
  type BoardState = library.BoardState;
  type Workspace = library.Workspace;
  type Exchange = library.Exchange;
  type FieldState = library.FieldState;

  /**
   * What a team says in config.js:
   *
   * - `api`, `socket`: the stack's outputs `RestUrl` and `WebSocketUrl`. Empty: the page's own origin.
   * - `conflicts`: what happens when two devices change the same field at once. "overwrite": the last one wins. "ask": the person decides.
   * - `getToken`: where the server asks for a token. It is called before each connection and request, so it should remember the token;
   *   with `renew` the last one was refused or is about to end. Left out, the page asks for a token itself and keeps it until the tab
   *   is closed. With a sign-in of your own:
   *
   *       getToken: async ({ renew }) => (await session.accessToken({ fresh: renew })) ?? null,
   *
   * - `account`: whose unsent edits are kept in this browser; by default the token's `sub`.
   *
   * Addresses other than https:, wss: and this machine's must be added to the Content-Security-Policy in index.html.
   */
  type Config = library.Options;

  /** Both dictionaries have the words of the Chinese one; the English one has names of choices beside them. */
  type Dictionary = typeof import("./zh.js").default;
  type Word = keyof Dictionary;
  type Language = "zh" | "en";
  type Theme = "auto" | "light" | "dark";
  type IconName = keyof typeof import("./dom.js").outlines;

  type ChoiceField = keyof typeof import("./inspector.js").vocabulary;
  type FieldName = ChoiceField | "motion_prompt";

  /** A part of the page. `update` shows what is given; it changes only what differs from what is shown already. */
  interface Part<Now extends unknown[]> {
    readonly element: HTMLElement;
    update(...now: Now): void;
  }

  type Actions = typeof import("./actions.js");

  /** What the parts of the page share, and what a person can do from anywhere on it. */
  interface App {
    readonly board: Board;
    /** Pictures on their way, by the workspace's key. */
    readonly uploads: Map<string, Upload>;
    /** Why the last request for a video was refused, by the workspace's key. */
    readonly refusals: Map<string, { error: unknown; video: Workspace["video"]; image_path: string | null }>;
    /** Shows a workspace. */
    select(key: string | null): void;
    /** The workspace that is shown. */
    selected(): Workspace | undefined;
    /** Something of the page's own changed: draw again. */
    changed(): void;
    /** Makes a workspace, shows it, and returns its key. */
    create(): string;
    /** Does one of the actions, which are loaded at the first sign of a person. */
    act(run: (actions: Actions) => void): void;
    /** Puts pictures into the workspace, and further ones into new workspaces; without `key` all of them. */
    addPictures(key: string | undefined, files: FileList): void;
    /** Puts the focus on a workspace's card. */
    focusCard(key: string): void;
  }

  /** False and null remove an attribute, true leaves it empty. */
  type Attribute = string | number | boolean | null;

  interface MenuItem {
    word: Word;
    /** An outline. */
    icon: string;
    run: () => void;
    disabled?: boolean;
    danger?: boolean;
    /** The keys that do the same. */
    keys?: string;
  }

  /**
   * What `h` takes beside attributes: fixed texts by their names in the dictionary (`t` the content, `label` the accessible name, `tip`
   * the title, `hint` the placeholder), and the name by which tests find the element.
   */
  interface Props {
    t?: Word;
    label?: Word;
    tip?: Word;
    hint?: Word;
    testid?: string;
    [attribute: string]: Attribute | undefined;
  }

  interface Toast {
    text: string;
    /** A second, quieter line. */
    detail?: string;
    bad?: boolean;
    /** How long it stays; 0 until it is closed. 6,000 by default. */
    ms?: number;
    /** Shows how much of the time is left, and doesn't wait for the pointer to leave. */
    countdown?: boolean;
    action?: { label: string; run: () => void };
  }

  /** A picture on its way into a workspace. */
  interface Upload {
    readonly file: Blob;
    /** A blob: address. */
    readonly preview: string;
    /** `arriving`: stored, but the uploaded one is not loaded here yet. */
    readonly phase: "sending" | "failed" | "arriving";
    readonly fraction: number;
    readonly error: unknown;
    readonly controller: AbortController;
  }

  /** A box with one picture. */
  interface Picture {
    readonly element: HTMLElement;
    /** `another`: it is another workspace's, so don't leave the last one in its place meanwhile. */
    show(url: string | null, another?: boolean): void;
    /** Whether the picture could not be loaded. */
    broken(): boolean;
    describe(text: string): void;
  }

  interface PictureOptions {
    lazy: boolean;
    onBroken: (url: string) => void;
    /** What is in the box now. */
    onShown?: (image: HTMLImageElement | null) => void;
  }

  /** Something that the stage can show of a workspace: its picture, or one of its videos. */
  interface Take {
    /** "picture", or what stays the same for a video whatever its address is. */
    id: string;
    url: string | null;
    /** From 1; 0 for the picture. */
    number: number;
    created_at: string | null;
    newest: boolean;
  }

  interface Player {
    readonly element: HTMLVideoElement;
    /** `same`: it is the same video, whatever its address is now. */
    show(url: string | null, poster: string | null, same: boolean): void;
    /** Whether the video can't be played. */
    broken(): boolean;
  }

  type Mode = "none" | "waiting" | "unreachable" | "blank" | "unloadable" | "picture" | "upload" | "progress" | "failed" | "video";
  /** What the stage shows. */
  interface StageView {
    mode: Mode;
    pictureUrl: string | null;
    videoUrl: string | null;
    take: string;
  }
  /** What the panels over the stage are told that show how far something is. */
  type Progress = [workspace: Workspace | undefined, mode: Mode, upload: Upload | undefined];

  interface Typing {
    /** Shows others' changes again. */
    release(): void;
    /** Ends the typing, too: the field is about to show another workspace, and what is typed on must not get into that. */
    leave(): void;
    /** Shows a text, unless an input method is composing in the field; a text that is there already is left alone, and with it the caret. */
    write(text: string): void;
  }

  interface Field extends Part<[Workspace]> {
    readonly typing: Typing;
    edit(text: string): void;
  }

  /** The list below a combobox. */
  interface ChoiceList {
    /** Without a filter, all choices are shown. */
    open(filter?: string): void;
    close(): void;
    toggle(): void;
    /** Marks the stored value. */
    mark(value: string): void;
  }

  /** What is going on with the assistant in one workspace. */
  interface Talk {
    draft: string;
    busy: boolean;
    error: unknown;
  }

  interface CardView {
    /** Its place, from 0. */
    index: number;
    selected: boolean;
    /** Whether Tab gets to it: one card of the board is. */
    reachable: boolean;
    upload: Upload | undefined;
  }
  interface Card extends Part<[workspace: Workspace, view: CardView]> {
    readonly main: HTMLButtonElement;
    readonly more: HTMLButtonElement;
  }

  /** A piece of a comparison of texts. */
  interface Piece {
    kind: "same" | "gone" | "new";
    text: string;
  }
}
