// The order within a session, as interactions use it: they run one after another, as their requests were complete.

/** Most interactions that may wait for one session. */
export const MAX_WAITING = 128;

/** One interaction's place in the line of its session. */
export interface Place {
  /** Names it among all places on all machines: a store takes nothing from a place whose turn is over. */
  readonly ticket: string;
  /** Others come first. */
  readonly mustWait: boolean;
  /**
   * Calls `begin` once, when its turn has come; at once where it need not wait. To be asked once.
   * @param lost called instead where the store has forgotten the place
   */
  whenTurn(begin: () => void, lost: () => void): void;
  /** Gives the place up, its turn or not, and the next one begins. Only the first call counts; it never throws. */
  leave(): void;
}

export interface SessionOrder {
  /**
   * Takes the last place in the line of a session.
   * @param isNew no session can have this id yet: it was made for this request
   * @throws AppError SESSION_TAKEN where the session is another caller's, SESSION_BUSY where too many wait; the store's error where it cannot be asked
   */
  enter(sessionId: string, owner: string, isNew: boolean): Place | Promise<Place>;
}
