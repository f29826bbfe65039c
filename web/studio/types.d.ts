// The types of the studio's inside, with what they are for: here and not in the modules, so that a browser does not have to load it.

import type * as library from "../motionboard.js";

declare global {
  type Board = library.Motionboard;
  type BoardState = library.BoardState;
  type Workspace = library.Workspace;
  type Exchange = library.Exchange;
  type FieldState = library.FieldState;

  /** Both dictionaries have the words of the Chinese one; the English one has names of choices beside them. */
  type Dictionary = typeof import("./zh.js").default;
  type Word = keyof Dictionary;
  type Language = "zh" | "en";
  type Theme = "auto" | "light" | "dark";
  type IconName = keyof typeof import("./dom.js").outlines;

  type ChoiceField = keyof typeof import("./fields.js").vocabulary;
  type FieldName = ChoiceField | "motion_prompt";

  /** A part of the page. `update` shows what is given; it changes only what differs from what is shown already. */
  interface Part<Now extends unknown[]> {
    readonly element: HTMLElement;
    update(...now: Now): void;
  }

  /** What the parts of the page share. */
  interface App {
    readonly board: Board;
    /** Pictures on their way, by the workspace's key. */
    readonly uploads: Map<string, Upload>;
    /** Shows a workspace. */
    select(key: string | null): void;
    /** The workspace that is shown. */
    selected(): Workspace | undefined;
    /** Something of the page's own changed: draw again. */
    changed(): void;
  }

  /** What can be done with workspaces, from wherever on the page. */
  interface Actions {
    /** Makes a workspace, shows it, and returns its key. */
    create(): string;
    /** Deletes; for five seconds that can be undone. */
    remove(key: string): void;
    move(key: string, before: string | null): void;
    moveBy(key: string, by: number): void;
    /** Opens the workspace's menu at a button. */
    openMenu(key: string, button: HTMLElement): void;
    /** Puts pictures into the workspace, and further ones into new workspaces; without `key` all of them. */
    addPictures(key: string | undefined, files: readonly File[]): void;
  }

  interface MenuItem {
    word: Word;
    icon: IconName;
    run: () => void;
    disabled?: boolean;
    danger?: boolean;
    /** The keys that do the same. */
    keys?: string;
  }

  /**
   * What `h` takes beside attributes: fixed texts by their names in the dictionary (`t` the content, `label` the accessible name, `tip`
   * the title, `hint` the placeholder), listeners, and the name by which tests find the element.
   */
  interface Props {
    t?: Word;
    label?: Word;
    tip?: Word;
    hint?: Word;
    testid?: string;
    on?: { [event: string]: () => void };
    [attribute: string]: unknown;
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
  /** What lies over the stage in some of its modes. */
  type Panel = Part<[workspace: Workspace | undefined, mode: Mode, upload: Upload | undefined, playerBroken: boolean]>;

  /** Asking for videos of the shown workspace, and stopping them. */
  interface Generation {
    /** Why the last request was refused. */
    error(key: string): unknown;
    start(): void;
    cancel(): void;
    /** Notes when generations begin, and says aloud when they end. */
    follow(workspaces: readonly Workspace[]): void;
  }

  interface Typing {
    /** Shows others' changes again. */
    release(): void;
    /** Ends the typing, too: the field is about to show another workspace, and what is typed on must not get into that. */
    leave(): void;
    /** Shows a text, unless an input method is composing in the field; a text that is there already is left alone, and with it the caret. */
    write(text: string): void;
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

  // Functions, by the modules in which they are.

  type MountHeader = (root: HTMLElement, app: App, signIn: () => void) => (state: BoardState) => void;
  type CreateConnection = (app: App, signIn: () => void) => Part<[BoardState]>;

  type MountRail = (root: HTMLElement, app: App, actions: Actions, onBroken: (url: string) => void) => { update(state: BoardState, selected: Workspace | undefined): void, focus(key: string): void };
  type EnableRoving = (list: HTMLElement, changed: () => void) => (workspaces: readonly Workspace[], selected: string | undefined) => string | undefined;
  type CreateCard = (key: string, onBroken: (url: string) => void) => Card;
  type StatusOf = (workspace: Workspace, upload: Upload | undefined) => "upload-failed" | "uploading" | "ready" | "empty" | Exclude<Workspace["video"]["status"], "pending">;
  type EnableDragging = (scroller: HTMLElement, list: HTMLElement, move: (key: string, before: string | null) => void) => void;
  type AwaitDrag = (down: PointerEvent, begin: (isWaiting: () => boolean) => void) => () => void;

  type MountStage = (root: HTMLElement, app: App, actions: Actions, generation: Generation, onBroken: (url: string) => void) => (state: BoardState, workspace: Workspace | undefined) => void;
  type ViewOf = (workspace: Workspace, upload: Upload | undefined, take: string, pictureBroken: boolean) => StageView;
  type CreateBar = (app: App, actions: Actions, choose: () => void) => Part<[state: BoardState, workspace: Workspace | undefined, view: StageView, upload: Upload | undefined]>;
  type EarlierTake = (take: Workspace["video"]["history"][number], index: number) => Take;
  type CreateTakes = (look: (id: string) => void) => Part<[workspace: Workspace | undefined, shown: string]>;
  type CreateTake = (id: string, look: (id: string) => void) => Part<[take: Take, shown: boolean]>;
  type CreatePlayer = (refresh: () => Promise<void>, failed: () => void) => Player;

  type CreateEmptyPanel = (app: App, choose: () => void, create: () => void) => Panel;

  type MountInspector = (root: HTMLElement, app: App, generation: Generation) => (state: BoardState, workspace: Workspace | undefined) => void;
  type CreateOrder = (app: App, generation: Generation) => Part<[workspace: Workspace | undefined, loaded: boolean]>;

  type FollowTyping = (input: HTMLInputElement | HTMLTextAreaElement, commit: (text: string) => void, hold: () => () => void) => Typing;
  type CreateField = (app: App, name: FieldName, input: HTMLElement, box: HTMLElement) => Part<[Workspace]>;
  type CreateMark = (app: App, name: FieldName) => Part<[key: string, state: FieldState | undefined]> & { reason: HTMLElement };
  type CreateConflict = (app: App, name: FieldName) => Part<[FieldState | undefined]>;

  type CreateChoice = (app: App, name: ChoiceField) => Part<[Workspace]>;
  type CreateChoiceList = (name: ChoiceField, input: HTMLInputElement, choose: (value: string) => void) => ChoiceList;

  type CreateActions = (app: App, focusCard: (key: string) => void) => Actions;
  type Obstacle = (app: App, workspace: Workspace | undefined) => Word | null;
  type NoteBegin = (id: string, task: string | null, updatedAt: string) => void;

  type ChoiceOf = (text: string, choices: readonly string[]) => string;
  type Expire = (element: HTMLElement, ms: number, patient: boolean) => void;

  type MakeButton = (props: Props, run?: (() => void) | null, ...children: (Node | string)[]) => HTMLButtonElement;
  type SetAttribute = (element: Element, name: string, value: string | number | boolean | null) => void;
  type Arrange = (parent: Element, wanted: readonly Element[]) => void;

  type Translate = (word: Word, values?: { [name: string]: string | number }) => string;
}
