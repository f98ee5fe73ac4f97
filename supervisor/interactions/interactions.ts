// The life of an interaction: admitted, waiting for its session and a worker, running, and ended exactly once, however it ends.
import type { UploadedFile } from '../../shared/chat.ts';
import { AppError, ERRORS, type EndCode } from '../../shared/errors.ts';
import type { InteractionEnd } from '../../shared/protocol.ts';
import { unauthorized } from '../access/caller.ts';
import type { Job } from '../workers/dispatcher.ts';
import { addTaken, createCourse, listenerOf, type Course } from './course.ts';
import { isUnread, passedDeadline } from './deadlines.ts';
import { Interaction, taskOf, type InteractionRequest } from './interaction.ts';
import type { InteractionsOptions } from './options.ts';
import { Registry } from './registry.ts';

/** Deadlines are looked after together, this often: a timer each would cost more than it tells. */
const SWEEP_MS = 100;
/** How often an interaction that no worker had begun is given to another, when its worker is gone. */
const MAX_ATTEMPTS = 3;
/** How long the neighbours of one that ignored its cancel may go on, before the thread is ended that it still occupies. */
const NEIGHBOUR_PATIENCE_MS = 30_000;

export class Interactions {
  readonly #options: InteractionsOptions;
  readonly #registry: Registry;
  readonly #courses = new Map<string, Course>();
  readonly #timer: NodeJS.Timeout;
  #accepting = true;
  #idle: (() => void) | undefined;

  constructor(options: InteractionsOptions) {
    this.#options = options;
    this.#registry = new Registry(options.config.resumeMemoryBytes);
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Interactions that run in a worker. */
  get active(): number {
    let active = 0;
    for (const course of this.#courses.values()) if (course.slot !== null) active += 1;
    return active;
  }

  /** Interactions that wait, for their session or for a worker. */
  get queued(): number {
    return this.#courses.size - this.active;
  }

  /** @returns the interaction with this id, if this caller started it. @throws AppError INTERACTION_NOT_FOUND */
  find(id: string, owner: string): Interaction {
    const interaction = this.#registry.find(id);
    if (interaction === undefined || interaction.request.owner !== owner) throw new AppError('INTERACTION_NOT_FOUND');
    return interaction;
  }

  /**
   * Admits an interaction: from now on it ends by itself, and `interaction.ended` tells.
   * @param takeFiles called once it is admitted: brings its files to their place, without which it does not begin
   * @throws AppError UNAUTHORIZED (its token has ended meanwhile), INTERACTION_EXISTS, SESSION_TAKEN, SESSION_BUSY, QUEUE_FULL, SHUTTING_DOWN,
   *   STORE_UNAVAILABLE
   */
  start(request: InteractionRequest, takeFiles?: () => Promise<readonly UploadedFile[]>): Interaction {
    const { dispatcher, agentName, sessions } = this.#options;
    const { sessionId } = request;
    if (this.#options.tokenEnd(request.token) !== null) throw unauthorized();
    if (this.#registry.find(request.id) !== undefined) throw new AppError('INTERACTION_EXISTS');
    const owner = request.sessionIsNew ? undefined : sessions.ownerOf(sessionId);
    if (owner !== undefined && owner !== request.owner) throw new AppError('SESSION_TAKEN');
    if (!this.#accepting) throw new AppError('SHUTTING_DOWN');
    if (sessions.order.isFull(sessionId)) throw new AppError('SESSION_BUSY');
    const mustWait = sessions.order.isBusy(sessionId);
    if (mustWait ? !dispatcher.reserve() : !dispatcher.hasRoom) throw new AppError('QUEUE_FULL');

    const interaction = new Interaction(request, agentName);
    const course = createCourse(interaction, mustWait);
    this.#courses.set(request.id, course);
    this.#registry.add(interaction);
    const files = takeFiles?.();
    // Whether it failed is asked when it is the interaction's turn, which may be much later.
    files?.catch(() => undefined);
    const begin = (): void => void (files === undefined ? this.#begin(course) : this.#beginWith(course, files));
    course.leaveOrder = sessions.order.enter(sessionId, request.owner, begin);
    return interaction;
  }

  /** Asks the agent to end; after its grace it is ended whatever it does. Does nothing to one that is over or being cancelled. */
  cancel(interaction: Interaction, code: EndCode = 'CANCELLED', message: string = ERRORS[code].message, graceMs?: number): void {
    const course = this.#courses.get(interaction.id);
    if (course === undefined || course.ending || course.cancel !== null) return;
    course.cancel = { code, message };
    if (course.slot === null) {
      this.#end(course, () => interaction.fail(code, message));
      return;
    }
    course.cancelDeadline = performance.now() + (graceMs ?? this.#options.config.cancelGraceMs);
    course.slot.cancel(interaction.id);
  }

  /** The reader that sets the pace has taken so much of the events (UTF-16 units of their JSON). */
  taken(interaction: Interaction, units: number): void {
    const course = this.#courses.get(interaction.id);
    if (course === undefined) return;
    const credit = addTaken(course, units);
    if (credit > 0) course.slot?.credit(interaction.id, credit);
  }

  /** Its readers have come or gone: without any it is cancelled when its grace is over. */
  readersChanged(interaction: Interaction): void {
    const course = this.#courses.get(interaction.id);
    if (course === undefined) return;
    // Without the reader that set the pace nothing holds the worker back: what that one had not taken counts as taken.
    if (interaction.pacer === null && course.untaken > 0) this.taken(interaction, course.untaken);
    const now = performance.now();
    course.unreadSince = interaction.hasReaders ? null : now;
    if (isUnread(course, now)) this.cancel(interaction, 'CANCELLED', 'The client went away.');
  }

  /** Resolves when none lives. */
  async idle(): Promise<void> {
    if (this.#courses.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Takes no new one, and ends every one there is with the error `shutting_down`. */
  endAll(): void {
    this.#accepting = false;
    // The waiting ones first, from the back: none of them may begin because the one before it ends. What is being saved ends by itself.
    const courses = [...this.#courses.values()].filter(({ ending }) => !ending).reverse();
    for (const course of [...courses.filter(({ slot }) => slot === null), ...courses.filter(({ slot }) => slot !== null)]) {
      course.slot?.cancel(course.interaction.id);
      this.#end(course, () => course.interaction.fail('SHUTTING_DOWN', ERRORS.SHUTTING_DOWN.message));
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #beginWith(course: Course, files: Promise<readonly UploadedFile[]>): Promise<void> {
    const failed = (error: unknown): void => this.#failForStore(course, error, 'uploaded files could not be kept', 'The files could not be stored.');
    const taken = await files.catch(failed);
    if (taken === undefined || course.ending) return;
    course.interaction.request = { ...course.interaction.request, files: taken };
    this.#begin(course);
  }

  /** It is the interaction's turn in its session. */
  #begin(course: Course): void {
    const { dispatcher } = this.#options;
    if (course.reserved) dispatcher.release();
    course.reserved = false;
    course.job = {
      task: () => this.#taskOf(course),
      listener: listenerOf(course, {
        taken: (units) => this.taken(course.interaction, units),
        ended: (end) => void this.#workerEnded(course, end),
        lost: (code, started) => this.#workerLost(course, code, started),
      }),
      assigned: (slot) => {
        course.slot = slot;
        course.attempts += 1;
        course.lastFrameAt = performance.now();
      },
    };
    course.waitingSince = performance.now();
    dispatcher.submit(course.job);
  }

  /** The history is read when a worker is there: what waits holds none. null, and the interaction's end, where it cannot be read. */
  #taskOf(course: Course): ReturnType<Job['task']> {
    const { interaction } = course;
    try {
      return taskOf(interaction.request, this.#options.sessions.history(interaction.request, this.#options.maxItems()));
    } catch (error) {
      this.#failForStore(course, error, 'the session could not be read');
      return null;
    }
  }

  #failForStore(course: Course, error: unknown, logged: string, told: string = ERRORS.STORE_UNAVAILABLE.message): void {
    const { interaction, ending } = course;
    if (ending) return;
    this.#options.log.error({ err: error, interaction_id: interaction.id }, logged);
    this.#end(course, () => interaction.fail('STORE_UNAVAILABLE', told));
  }

  async #workerEnded(course: Course, end: InteractionEnd): Promise<void> {
    const { interaction, cancel } = course;
    if (course.ending) return;
    interaction.usage = end.usage;
    if (cancel !== null) {
      this.#end(course, () => interaction.fail(cancel.code, cancel.message));
    } else if (end.status === 'error') {
      this.#end(course, () => interaction.fail(end.code, end.message));
    } else {
      course.ending = true;
      const saved = await this.#options.sessions.save(interaction.request, end);
      this.#end(course, () => {
        if (saved) interaction.succeed(end.contentJson, end.restJson);
        else interaction.fail('SESSION_NOT_SAVED', ERRORS.SESSION_NOT_SAVED.message);
      });
    }
  }

  #workerLost(course: Course, code: EndCode, started: boolean): void {
    if (course.ending) return;
    course.slot = null;
    if (!started && course.cancel === null && course.job !== null && course.attempts < MAX_ATTEMPTS) {
      course.waitingSince = performance.now();
      this.#options.dispatcher.submit(course.job);
      return;
    }
    const told = course.cancel ?? { code, message: ERRORS[code].message };
    this.#end(course, () => course.interaction.fail(told.code, told.message));
  }

  /** The one way out. `tell` adds the terminal event. */
  #end(course: Course, tell: () => void): void {
    const { interaction } = course;
    course.ending = true;
    if (!this.#courses.delete(interaction.id)) return;
    if (course.job !== null) this.#options.dispatcher.withdraw(course.job);
    if (course.reserved) this.#options.dispatcher.release();
    tell();
    this.#options.onEnd(interaction);
    this.#registry.retire(interaction);
    if (!course.leaveOrder()) this.#options.sessions.order.leave(interaction.request.sessionId);
    if (this.#courses.size === 0) this.#idle?.();
  }

  #sweep(): void {
    const now = performance.now();
    const { config, dispatcher, tokenEnd } = this.#options;
    for (const course of this.#courses.values()) {
      const verdict = passedDeadline(course, now, config, dispatcher.hasWorkers, tokenEnd);
      if (verdict?.type === 'cancel') this.cancel(course.interaction, verdict.code, verdict.message, verdict.graceMs);
      if (verdict?.type === 'enforce') this.#enforceCancel(course);
    }
    this.#registry.sweep(Date.now());
  }

  /** The agent did not end when it was asked to: its caller is told, and its worker is replaced once the neighbours are done. */
  #enforceCancel(course: Course): void {
    const { interaction, slot, cancel } = course;
    slot?.abandon(interaction.id);
    slot?.taint(`interaction ${interaction.id} did not end when it was cancelled`, NEIGHBOUR_PATIENCE_MS);
    this.#end(course, () => interaction.fail(cancel?.code ?? 'CANCELLED', cancel?.message ?? ERRORS.CANCELLED.message));
  }
}
