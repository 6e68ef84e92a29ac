/*
 * run MINUTES SEED SETUP...: tortures each set-up for so long, and ends with 0 if nothing was
 * found. Writers, readers and hostile clients go on while faults come by the schedule; then all is
 * mended, what was taken gets stored, and the ledger is compared with what is there.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

import { eventually, sleep } from '../support/harness';
import { random } from '../support/hostile';
import { Check } from './check';
import { cloud } from './cloud';
import { embedded } from './embedded';
import { hostiles } from './hostile';
import { Ledger } from './ledger';
import { Dice, type Fault, plan } from './plan';
import { Memory, Reader } from './readers';
import { type Outcome, report } from './report';
import { type Setup, type SetupOptions, TortureLab } from './setups';
import { writers } from './writers';

const SETUPS: Record<string, (options: SetupOptions) => Promise<Setup>> = { embedded, cloud };
const READERS = 4;
/** After the last fault all writers have to get on. */
const RECOVERY_MS = 60_000;
const WATCH_EVERY_MS = 100;

/** The faults of one lane, each at its time, or as soon as the one before is over. */
async function walk(faults: Fault[], setup: Setup, ledger: Ledger, started: number): Promise<void> {
    for (const fault of faults) {
        await sleep(Math.max(0, started + fault.at - performance.now()));
        try {
            await setup.strike(fault);
            ledger.count(`fault: ${fault.lane}: ${fault.kind}`);
        } catch (error) {
            ledger.find(
                `the fault "${fault.lane}: ${fault.kind}" could not be made: ${describe(error)}`,
            );
        }
    }
}

function describe(error: unknown): string {
    return error instanceof Error
        ? `${error.stack} ${error.cause === undefined ? '' : describe(error.cause)}`
        : String(error);
}

async function recover(ledger: Ledger): Promise<void> {
    const before = ledger.taken;
    await eventually(
        'clients to get on after the last fault',
        async () => ledger.taken > before + 100,
        RECOVERY_MS,
    );
}

/** The storm: all clients and all lanes at once. */
async function storm(
    { lab, ledger, dice }: SetupOptions,
    setup: Setup,
    seed: number,
    ms: number,
): Promise<void> {
    let isGoing = true;
    const going = (): boolean => isGoing;
    const memory = new Memory(ledger);
    let salt = 0;
    // dice of their own, so that what clients do has no effect on the schedule
    const own = (): Dice => new Dice(random(seed + 1000 * ++salt));
    const schedule = plan(setup.lanes, ms, dice);
    writeFileSync(path.join(lab.base, 'schedule.json'), JSON.stringify(schedule, undefined, 1));
    const started = performance.now();
    const clients = [
        ...writers({ setup, ledger, dice: own(), going }).map((writer) => writer.run()),
        ...Array.from({ length: READERS }, () =>
            new Reader({ setup, ledger, dice: own(), memory, going }).run(),
        ),
        ...hostiles({ setup, ledger, dice: own(), going }),
    ];
    const watch = setInterval(() => setup.roles.forEach((role) => role.watch()), WATCH_EVERY_MS);
    try {
        const lanes = Object.keys(setup.lanes).map((lane) =>
            walk(
                schedule.filter((fault) => fault.lane === lane),
                setup,
                ledger,
                started,
            ),
        );
        await Promise.all([...lanes, sleep(ms)]);
        await setup.calm();
        await recover(ledger);
    } finally {
        isGoing = false;
        await Promise.all(clients);
        clearInterval(watch);
    }
}

async function torture(name: string, minutes: number, seed: number): Promise<Outcome> {
    const base = mkdtempSync(path.join(tmpdir(), `logmill-torture-${name}-`));
    const lab = new TortureLab(base);
    const ledger = new Ledger();
    const started = performance.now();
    const dice = new Dice(random(seed));
    let leftOut: string[] = [];
    try {
        const options = { lab, ledger, dice };
        const setup = await SETUPS[name]!(options);
        leftOut = setup.leftOut;
        await storm(options, setup, seed, minutes * 60_000);
        await setup.atRest();
        await new Check(setup, ledger).run(setup.doors[0]!);
        await setup.inspect();
        await setup.close();
    } catch (error) {
        ledger.find(`the run could not go on: ${describe(error)}`);
    }
    lab.keepsData = ledger.findings.length > 0;
    if (lab.keepsData) {
        writeFileSync(path.join(base, 'transcript'), lab.transcript(Infinity));
    }
    await lab.cleanUp();
    if (!lab.keepsData) {
        rmSync(base, { recursive: true });
    }
    const seconds = (performance.now() - started) / 1000;
    return { setup: name, seed, minutes, seconds, leftOut, ledger, data: base };
}

async function main(): Promise<void> {
    const [minutes = '10', seed = '', ...names] = process.argv.slice(2);
    const number = seed === '' ? Date.now() % 1_000_000_000 : Number(seed);
    const chosen = names.length > 0 ? names : Object.keys(SETUPS);
    const unknown = chosen.filter((name) => SETUPS[name] === undefined);
    if (unknown.length > 0 || !(Number(minutes) > 0) || !Number.isInteger(number)) {
        console.error('usage: run MINUTES SEED [embedded] [cloud]');
        process.exit(2);
    }
    let isWell = true;
    for (const name of chosen) {
        console.log(`torture: the ${name} set-up for ${minutes} minutes, seed ${number}`);
        isWell = report(await torture(name, Number(minutes), number)) && isWell;
    }
    process.exit(isWell ? 0 : 1);
}

process.on('SIGINT', () => process.exit(130)); // so that what runs at exit does
process.on('SIGTERM', () => process.exit(143));
void main();
