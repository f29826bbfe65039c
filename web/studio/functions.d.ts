// What the functions of the studio's modules take, give and are for: here and not in the modules, so that a browser does not have to load it.

export {};

declare global {
  // ---------------------------------------------------------------------------------------------------- dom.js

  /** Makes an element. Whatever text goes in is text, never HTML. */
  type MakeElement = <K extends keyof HTMLElementTagNameMap>(tag: K, props?: Props, ...children: (Node | string)[]) => HTMLElementTagNameMap[K];
  /** A button. Its click does `run`. */
  type MakeButton = (props: Props, run?: (() => void) | null, ...children: (Node | string)[]) => HTMLButtonElement;
  /** Sets an attribute if it differs. */
  type SetAttribute = (element: Element, name: string, value: Attribute | undefined) => void;
  /** Sets a text if it differs. */
  type SetText = (node: Node, text: string) => void;
  /** Shows or hides an element without making it anew. */
  type Show = (element: HTMLElement, shown: boolean) => void;
  /** Brings the children of `parent` into the order of `wanted`, touching only those that are not in place. */
  type Arrange = (parent: Element, wanted: readonly Element[]) => void;
  /** What it makes says whether any of what it is given is another than at the call before. */
  type Changes = () => (...now: unknown[]) => boolean;
  /**
   * A part of the page that is loaded when it is needed first, and after that is told everything. `load` resolves with what shows; it
   * begins with the newest. If it can't be loaded now, the next need tries again.
   */
  type LoadAgain = (app: App, isIncomplete: boolean) => void;
  type IsComposing = (event: KeyboardEvent) => boolean;
  type Later = <Now extends unknown[]>(isNeeded: (...now: Now) => boolean, load: () => Promise<(...now: Now) => void>) => (...now: Now) => void;
  /** An element of the page's own HTML. */
  type ById = (id: string) => HTMLElement;
  /** Whether text is being entered there. */
  type IsTextField = (target: EventTarget | null) => boolean;
  /** An outline, drawn as an icon is. */
  type MakeDrawing = (outline: string) => SVGElement;
  /** An icon, of the colour and about the size of the text around it. Screen readers skip it. */
  type MakeIcon = (name: IconName) => SVGElement;
  /** Draws another icon into one that is there. */
  type Redraw = (svg: SVGElement, name: IconName) => void;

  // ---------------------------------------------------------------------------------------------------- i18n.js, texts.js

  /** Shows the page in another language. */
  type SwitchLanguage = (language: Language) => Promise<void>;
  /** Calls `listener` after the language has changed, for texts that `translate` doesn't reach. */
  type OnLanguage = (listener: () => void) => void;
  /** A text, with `{name}` replaced by `values.name`. */
  type Translate = (word: Word, values?: { [name: string]: string | number }) => string;
  /** A text whose name is made of parts, if there is one. */
  type TranslateIfKnown = (word: string) => string | undefined;
  /** `translateOne` sets the fixed texts of one element, `translate` those of all elements below it. */
  type TranslateElement = (element: HTMLElement) => void;

  /** What to tell a person about an error, and what to do about it. The server's messages are Chinese; in English the page has its own. */
  type ErrorText = (error: unknown) => string;
  /** What a workspace is called: the beginning of its prompt. */
  type TitleOf = (workspace: Workspace) => string;
  /** What a stored choice is called in the active language; other texts are called what they are. */
  type ChoiceLabel = (value: string) => string;
  /** The stored choice of this name, or the text itself. */
  type ChoiceOf = (text: string, choices: readonly string[]) => string;
  /** A moment as people of the language write it. */
  type Moment = (date: string) => string;

  // ---------------------------------------------------------------------------------------------------- messages.js

  type WithMessages = (run: (messages: typeof import("./messages.js")) => void) => void;
  /** Tells users of screen readers something that others see. What follows quickly replaces what was not read yet. */
  type Announce = (text: string) => void;
  type ShowToastLater = (toast: Toast) => void;
  /** Shows a message at the edge of the page. Returns what closes it. */
  type ShowToast = (toast: Toast) => () => void;
  type CountdownBar = (ms: number) => HTMLElement;
  /** Closes after a time; `patient`: not while somebody reads or has the focus in it. */
  type Expire = (element: HTMLElement, ms: number, patient: boolean) => void;

  // ---------------------------------------------------------------------------------------------------- remember.js, selection.js

  /** What was kept at an earlier visit. A browser may forbid to keep anything: then nothing is remembered, and nothing breaks. */
  type Recall = (name: string) => string | null;
  /** Keeps a value for the next visits; null forgets it. */
  type Remember = (name: string, value: string | null) => void;
  /** Keeps a token for as long as the tab lives; null forgets it. */
  type KeepToken = (token: string | null) => void;
  /** The `getToken` of a page without a sign-in of its own. A pasted token can't be renewed: one that was refused is forgotten. */
  type PastedToken = (request: { renew: boolean }) => string | null;
  type ReadStorage = (storage: "localStorage" | "sessionStorage", name: string) => string | null;
  type WriteStorage = (storage: "localStorage" | "sessionStorage", name: string, value: string | null) => void;

  /** Which workspace is shown. Kept in the address by its `_id`, so that a reload and a bookmark find it again. */
  type CreateSelection = (state: () => BoardState, changed: () => void) => {
    /** The workspace that is shown, as the board is now. */
    follow(): Workspace | undefined;
    select(key: string | null): void;
  };
  type WriteHash = (id: string | null) => void;

  // ---------------------------------------------------------------------------------------------------- main.js, header.js, sign-in.js, rescue.js

  /** Whether a video is being made, or asked for. */
  type SomeGenerate = (workspaces: readonly Workspace[]) => boolean;
  type FollowSignIn = (state: BoardState) => Promise<void>;

  /** The page's top: its name, the connection, what is saved, and the switches. */
  type MountHeader = (root: HTMLElement, app: App, signIn: () => void) => (state: BoardState) => void;
  type CreateSaving = (app: App) => Part<[BoardState]>;
  /** The quiet mark of the connection, with what can be done about it. */
  type CreateConnection = (app: App, signIn: () => void) => Part<[BoardState]>;
  /** Keeps saying "connected" for a moment after the connection was lost. */
  type CreatePatience = (changed: () => void) => (state: BoardState) => BoardState["connection"] | "unreachable";
  type CountdownText = (retryAt: number) => string;

  /** Shows the panel that asks for a token. */
  type AskForToken = (retry: () => void) => void;
  type CreateDialog = (retry: () => void) => HTMLDialogElement;

  /**
   * A workspace was deleted elsewhere while edits of it were on their way: shows what was typed, and offers to make a new one of it.
   */
  type Rescue = (app: App, workspace: Workspace, updates: { [path: string]: unknown }) => void;
  /** A tree of values as its leaves, by path: a path must not be the parent of another in one change. */
  type Leaves = (path: string, value: unknown) => { [path: string]: unknown };

  // ---------------------------------------------------------------------------------------------------- rail.js, drag.js

  /** The board: all workspaces, as cards. */
  type MountRail = (root: HTMLElement, app: App, onBroken: (url: string) => void) => {
    update(state: BoardState, selected: Workspace | undefined): void;
    focus(key: string): void;
  };
  type DrawCards = (workspaces: readonly Workspace[], selected: string | undefined) => void;
  type DropCard = (key: string, element: HTMLElement) => void;
  /** What stands in the board's place: that it is empty, or that it can't be loaded. */
  type CreateNotice = (app: App) => Part<[BoardState]>;
  type CardAt = (target: EventTarget | null) => HTMLLIElement | null | undefined;
  type KeyAt = (target: EventTarget | null) => string | undefined;
  type FocusCard = (card: Element | null) => void;
  /**
   * One card of the board is reached by Tab, the others from it by the arrow keys: a board of 200 would be 400 stops else.
   * Returns what tells the key of that card: the focused one, or the selected.
   */
  type EnableRoving = (list: HTMLElement, changed: () => void) => (workspaces: readonly Workspace[], selected: string | undefined) => string | undefined;
  /** A workspace on the board. */
  type CreateCard = (key: string, onBroken: (url: string) => void) => Card;
  type StatusOf = (workspace: Workspace, upload: Upload | undefined) => "upload-failed" | "uploading" | "ready" | "empty" | Exclude<Workspace["video"]["status"], "pending">;
  type MoveCard = (key: string, before: string | null) => void;
  /** Lets cards be dragged to another place, by mouse, pen or finger. */
  type EnableDragging = (scroller: HTMLElement, list: HTMLElement, move: MoveCard) => void;

  /** Follows a press on a card until it ends, by `move` if it became a drag to another place. */
  type AwaitDrag = (down: PointerEvent, board: { scroller: HTMLElement, list: HTMLElement, card: HTMLElement, move: MoveCard }) => void;
  /** What follows the pointer. */
  type GhostOf = (card: HTMLElement, box: DOMRect) => HTMLElement;
  /** Pixels to scroll by, the more the nearer the edge is. */
  type Pull = (at: number, from: number, to: number) => number;
  /** The click that follows a drag is none. */
  type SwallowClick = (card: HTMLElement) => void;
  type Listen = <E extends keyof WindowEventMap>(target: EventTarget, type: E, listener: (event: WindowEventMap[E]) => unknown) => void;

  // ---------------------------------------------------------------------------------------------------- stage.js, progress.js

  /** The stage: the picture of the shown workspace, what is being made of it, and its videos. */
  type MountStage = (root: HTMLElement, app: App, onBroken: (url: string) => void) => (state: BoardState, workspace: Workspace | undefined) => void;
  type IsProgressing = (...now: Progress) => boolean;
  type ViewOf = (workspace: Workspace, upload: Upload | undefined, take: string, pictureBroken: boolean) => StageView;
  /** What somebody wants to look at: the newest there is, until a take is chosen, and again when another one is made. */
  type CreateLooking = () => {
    at(workspace: Workspace | undefined, take: string): void;
    now(workspace: Workspace): string;
  };
  /** Nothing there yet: a place to drop a picture on; without any workspace, the invitation to make one. */
  type CreateEmptyPanel = (app: App, choose: () => void) => Part<[Mode]>;
  /** Why there is no video: it failed, or it can't be played. */
  type CreateFailurePanel = (app: App) => Part<[workspace: Workspace | undefined, mode: Mode, playerBroken: boolean]>;
  /** The line above: which workspace it is, and what can be done with what is shown. */
  type CreateBar = (app: App, choose: () => void) => Part<[state: BoardState, workspace: Workspace | undefined, view: StageView, upload: Upload | undefined]>;
  /** What there is to look at in a workspace: the picture, and the videos, oldest first. */
  type TakesOf = (workspace: Workspace) => Take[];
  type EarlierTake = (take: Workspace["video"]["history"][number], index: number) => Take;
  /** The strip below the stage, by which one looks at the picture and at each video. */
  type CreateTakes = (look: (id: string) => void) => Part<[workspace: Workspace | undefined, shown: string]>;
  type CreateTake = (id: string, look: (id: string) => void) => Part<[take: Take, shown: boolean]>;
  /**
   * The player. A video stays in it for as long as its address does. Addresses run out: after an error the board is loaded again, once for
   * each address, and the video goes on where it was.
   */
  type CreatePlayer = (refresh: () => Promise<void>, failed: () => void) => Player;

  /** What lies over the picture while it is sent, and while a video is made. */
  type MountProgress = (viewer: HTMLElement, app: App, choose: () => void) => (...now: Progress) => void;
  /** A picture on its way, or one that did not get there. */
  type CreateUploadPanel = (app: App, choose: () => void) => Part<Progress>;
  /** A video that is being made. */
  type CreateProgressPanel = (app: App) => Part<Progress>;
  /** Seconds as m:ss. */
  type Clock = (seconds: number) => string;

  // ---------------------------------------------------------------------------------------------------- pictures.js, uploading.js

  /**
   * A box with one picture. The picture stays the same element while its address does; another one takes its place only when it can be
   * shown, so that nothing flashes between a preview and what was uploaded.
   */
  type CreatePicture = (options: PictureOptions) => Picture;
  /** A blurred echo of a picture, for the room that the picture itself leaves in its box. */
  type CreateBackdrop = () => { element: HTMLElement, show(image: HTMLImageElement | null): void };
  /** Takes pictures that are dropped anywhere on the page, or pasted. */
  type EnableIntake = (app: App) => void;
  type OnFiles = (type: "dragenter" | "dragleave" | "dragover" | "drop", listener: (event: DragEvent, data: DataTransfer) => void) => void;
  /** The browser's own choice of files, for the shown workspace. */
  type CreatePicker = (app: App) => { input: HTMLInputElement, open(): void };

  type IsAborted = (error: unknown) => boolean;
  /** Sends a picture into a workspace; it takes the place of one that is on its way. */
  type SendPicture = (app: App, key: string, file: Blob) => Promise<void>;

  // ---------------------------------------------------------------------------------------------------- inspector.js, assistant.js, proposals.js

  /** What is to be made of the shown workspace's picture: the form, the assistant, and the button that orders the video. */
  type MountInspector = (root: HTMLElement, app: App) => (state: BoardState, workspace: Workspace | undefined) => void;
  /** The button that orders a video, with what stands in its way. */
  type CreateOrder = (app: App) => Part<[workspace: Workspace | undefined, loaded: boolean]>;
  type OrderWord = (workspace: Workspace | undefined) => Word;
  /** The assistant: asks for better parameters, and shows what it proposed. */
  type CreateAssistant = (app: App) => Part<[Workspace]>;
  type ChangeTalk = (key: string, change: Partial<Talk>) => void;

  /** The newest exchange, and the earlier ones behind a fold. */
  type CreateExchanges = (app: App) => Part<[Workspace]>;
  type DrawExchanges = (workspace: Workspace, exchanges: readonly Exchange[]) => HTMLElement[];
  /** What was asked of the assistant, and what it answered. What it proposes is loaded with the first of them. */
  type CreateExchange = (app: App, exchange: Exchange) => Part<[Workspace]>;

  /** What the assistant proposes: each proposal can be taken on its own. */
  type MountProposals = (element: HTMLElement, app: App, exchange: Exchange) => (workspace: Workspace) => void;
  type CreateProposal = (name: FieldName, value: string, take: () => void) => Part<[Workspace]>;
  /** The old and the new: a prompt with what changed within it, a choice as a whole. */
  type Comparison = (name: FieldName, before: string, after: string) => (Node | string)[];

  /** What became of a text: word by word, and character by character where there are no spaces. */
  type Difference = (before: string, after: string) => Piece[];
  type Words = (text: string) => string[];
  type Same = (words: string[]) => Piece[];
  type Compare = (a: string[], b: string[]) => Piece[];
  /** Neighbours of one kind as one. */
  type Joined = (pieces: Piece[]) => Piece[];

  // ---------------------------------------------------------------------------------------------------- the fields: inspector.js, conflict.js, choice-list.js

  /** The path under which the backend keeps a field. */
  type PathOf = (name: FieldName) => `form_data.${FieldName}`;
  /**
   * Follows a person who types in a field: hands on whole texts only (never one that an input method is still composing), and holds
   * others' changes of this very field back meanwhile.
   */
  type FollowTyping = (input: HTMLInputElement | HTMLTextAreaElement, commit: (text: string) => void, hold: () => () => void) => Typing;
  /**
   * A field: its name, how far its edits are, and what to do about a conflict, around the `box` with its input. It follows who types
   * there (`typed`), and what is stored (`shown`).
   */
  type CreateField = (app: App, name: FieldName, input: HTMLInputElement | HTMLTextAreaElement, box: HTMLElement, on: {
    typed(text: string): void,
    shown(value: string): void,
  }) => Field;
  /** 保存中, 已保存 or 保存失败. Screen readers are told of the end of an edit, not of each of its steps. */
  type CreateMark = (app: App, name: FieldName) => Part<[key: string, state: FieldState | undefined]> & { reason: HTMLElement };
  /** The description of what moves. */
  type CreatePrompt = (app: App) => Field;
  /** A field with a list of usual choices; any other text can be typed. */
  type CreateChoice = (app: App, name: ChoiceField) => Field;
  /** Runs with the field's list, once that is loaded, if the field has the focus then. */
  type WithList = (run: (list: ChoiceList) => void) => void;
  type Choose = (value: string) => void;

  /** Another device has changed the field, too: shows its text, and lets the person decide. */
  type MountConflict = (field: HTMLElement, app: App, name: FieldName) => (state: FieldState | undefined) => void;

  /** The list below a combobox. The focus stays in the input; `aria-activedescendant` points into the list. */
  type CreateChoiceList = (name: ChoiceField, input: HTMLInputElement, choose: Choose) => ChoiceList;

  // ---------------------------------------------------------------------------------------------------- actions.js, menu.js, generation.js

  /** Something that is done to a workspace. A deletion can be undone for five seconds. */
  type Act = (app: App, key: string) => void;
  type Move = (app: App, key: string, before: string | null) => void;
  type MoveBy = (app: App, key: string, by: number) => void;
  /** Opens the workspace's menu at a button. */
  type OpenMenu = (app: App, key: string, opener: HTMLElement) => void;
  /** Opens a menu at a button. It closes by Escape, Tab, a click elsewhere, or a choice. */
  type OpenMenuAt = (opener: HTMLElement, items: readonly MenuItem[]) => void;
  type MenuButton = (item: MenuItem, close: () => void) => HTMLButtonElement;
  /** Below the button, or above it where there is no room. */
  type PlaceMenu = (menu: HTMLElement, at: DOMRect) => void;
  type AddPictures = (app: App, key: string | undefined, files: readonly File[]) => void;
  /** Asks for a video of the shown workspace, or stops it. */
  type OnShown = (app: App) => Promise<void>;

  /** Why no video can be asked for now. */
  type Obstacle = (app: App, workspace: Workspace | undefined) => Word | null;
  /** When generations began. `task` is null where it isn't known yet. */
  type Starts = { [id: string]: { task: string | null, at: number } };
  /** Seconds for which a workspace has been generating. */
  type Elapsed = (id: string | null) => number;
  /** Notes when generations begin, and says aloud when they end. */
  type FollowGenerations = (workspaces: readonly Workspace[]) => void;
  type NoteBegin = (id: string, task: string | null, at: number) => void;
  type NoteEnd = (id: string) => void;
}
