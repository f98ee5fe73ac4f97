// The way of live interactions: waiting for their session and a worker, running, and ended exactly once, however they end.
import type { UploadedFile } from '../../shared/chat.ts';
import { ERRORS, type EndCode } from '../../shared/errors.ts';
import type { InteractionEnd } from '../../shared/protocol.ts';
import { after, orElse } from '../at_once.ts';
import type { Job } from '../workers/job.ts';
import { letThrough, listenerOf, type Course } from './course.ts';
import { taskOf, type Interaction, type Outcome } from './interaction.ts';
import type { InteractionsOptions } from './options.ts';

/** How often an interaction that no worker had begun is given to another, when its worker is gone. */
const MAX_ATTEMPTS = 3;

export class Courses {
  readonly #options: InteractionsOptions;
  readonly #onOver: (interaction: Interaction) => void;
  readonly #courses = new Map<string, Course>();
  #idle: (() => void) | undefined;

  /** @param onOver told when one has ended, as the last thing that is done with it */
  constructor(options: InteractionsOptions, onOver: (interaction: Interaction) => void) {
    this.#options = options;
    this.#onOver = onOver;
  }

  get size(): number {
    return this.#courses.size;
  }

  /** Those that a worker has. */
  get active(): number {
    let active = 0;
    for (const { slot } of this.#courses.values()) if (slot !== null) active += 1;
    return active;
  }

  all(): Iterable<Course> {
    return this.#courses.values();
  }

  find(id: string): Course | undefined {
    return this.#courses.get(id);
  }

  /** It lives from now on, and begins when its session lets it. @param files on their way to their place; null: it has none */
  add(course: Course, files: Promise<readonly UploadedFile[]> | null): void {
    this.#courses.set(course.interaction.id, course);
    if (this.#options.records !== null) {
      course.held = [];
      void this.#options.records.opened(course.interaction).then(() => letThrough(course));
    }
    // Whether it failed is asked when it is the interaction's turn, which may be much later.
    files?.catch(() => undefined);
    course.place.whenTurn(
      () => void (files === null ? this.#begin(course) : this.#beginWith(course, files)),
      () => this.#failForStore(course, new Error('its place in the session was lost'), 'the session could not be waited for'),
    );
  }

  /** The one way out; only the first call counts. Its readers are told once the log has it. */
  end(course: Course, outcome: Outcome): void {
    course.ending = true;
    if (course.outcome !== null) return;
    course.outcome = outcome;
    const { dispatcher, records } = this.#options;
    if (course.job !== null) dispatcher.withdraw(course.job);
    if (course.reserved) dispatcher.release();
    course.own?.end();
    if (records === null) this.#tell(course, outcome);
    else void records.ended(course.interaction, outcome).then(() => this.#tell(course, outcome));
  }

  /** Ends every one that is not ending by itself. */
  endAll(code: EndCode): void {
    for (const course of this.#lastFirst().filter(({ ending }) => !ending)) {
      course.slot?.cancel(course.interaction.id, this.#options.config.cancelGraceMs);
      this.end(course, { code, message: ERRORS[code].message });
    }
  }

  /** Ends every one, also those that are being saved, and tells its readers before it returns, as the process ends next. */
  endAllNow(code: EndCode): void {
    const courses = this.#lastFirst();
    for (const course of courses) this.end(course, { code, message: ERRORS[code].message });
    this.#options.records?.closeNow();
    for (const course of courses) if (course.outcome !== null) this.#tell(course, course.outcome);
  }

  /** Resolves when none lives. */
  async idle(): Promise<void> {
    if (this.#courses.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** The waiting ones first, from the back: none of them may begin because the one before it ends. */
  #lastFirst(): Course[] {
    const courses = [...this.#courses.values()].reverse();
    return [...courses.filter(({ slot }) => slot === null), ...courses.filter(({ slot }) => slot !== null)];
  }

  #tell(course: Course, outcome: Outcome): void {
    const { interaction } = course;
    if (interaction.isOver) return;
    this.#courses.delete(interaction.id);
    interaction.end(outcome);
    this.#options.onEnd(interaction);
    this.#onOver(interaction);
    course.place.leave();
    course.uncount();
    if (this.#courses.size === 0) this.#idle?.();
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
    if (course.ending) return;
    const { dispatcher } = this.#options;
    if (course.reserved) dispatcher.release();
    course.reserved = false;
    course.job = {
      task: () => this.#taskOf(course),
      listener: listenerOf(course, {
        ended: (end) => void this.#workerEnded(course, end),
        lost: (code, started) => this.#workerLost(course, code, started),
      }),
      assigned: (slot) => {
        course.slot = slot;
        course.attempts += 1;
        course.lastFrameAt = performance.now();
      },
    };
    this.#submit(course, course.job);
  }

  #submit(course: Course, job: Job): void {
    const { dispatcher, log } = this.#options;
    course.waitingSince = performance.now();
    if (course.own === null) {
      dispatcher.submit(job);
      return;
    }
    const { id, request } = course.interaction;
    const failed = (reason: string): void => {
      log.error({ interaction_id: id }, `the worker that was started for it did not load the agent: ${reason}`);
      this.end(course, { code: 'AGENT_FAILED', message: 'The agent did not load in the worker that was started for the interaction.' });
    };
    void course.own.run({ ...job, env: request.env, failed });
  }

  /** The history is read when a worker is there: what waits holds none. null, and the interaction's end, where it cannot be read. */
  #taskOf(course: Course): ReturnType<Job['task']> {
    const { request } = course.interaction;
    return orElse(
      () => after(this.#options.sessions.history(request, this.#options.maxItems()), (history) => (course.ending ? null : taskOf(request, history))),
      (error) => {
        this.#failForStore(course, error, 'the session could not be read');
        return null;
      },
    );
  }

  #failForStore(course: Course, error: unknown, logged: string, told: string = ERRORS.STORE_UNAVAILABLE.message): void {
    if (course.ending) return;
    this.#options.log.error({ err: error, interaction_id: course.interaction.id }, logged);
    this.end(course, { code: 'STORE_UNAVAILABLE', message: told });
  }

  async #workerEnded(course: Course, end: InteractionEnd): Promise<void> {
    const { interaction, cancel } = course;
    if (course.ending) return;
    interaction.usage = end.usage;
    if (end.status === 'success') interaction.model = end.model;
    if (cancel !== null) {
      this.end(course, cancel);
    } else if (end.status === 'error') {
      this.end(course, end);
    } else {
      course.ending = true;
      const saved = await this.#options.sessions.save(interaction.request, end, course.place);
      this.end(course, saved ? end : { code: 'SESSION_NOT_SAVED', message: ERRORS.SESSION_NOT_SAVED.message });
    }
  }

  #workerLost(course: Course, code: EndCode, started: boolean): void {
    if (course.ending) return;
    course.slot = null;
    if (!started && course.cancel === null && course.job !== null && course.attempts < MAX_ATTEMPTS) {
      this.#submit(course, course.job);
      return;
    }
    this.end(course, course.cancel ?? { code, message: ERRORS[code].message });
  }
}
