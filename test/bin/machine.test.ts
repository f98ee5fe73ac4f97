// A container's limits count as the machine's.
import t from 'tap';
import { readCpuQuota, readMachine } from '../../bin/machine.ts';
import { makeFolder } from '../helpers/folder.ts';

t.test('the least quota of the cgroup and of those above it counts', async (t) => {
  const folder = await makeFolder(t, {
    'proc/self/cgroup': '0::/system.slice/app.service\n',
    'sys/fs/cgroup/cpu.max': 'max 100000\n',
    'sys/fs/cgroup/system.slice/cpu.max': '150000 100000\n',
    'sys/fs/cgroup/system.slice/app.service/cpu.max': '400000 100000\n',
  });
  t.equal(readCpuQuota(folder), 1.5);
});

t.test("a cgroup of version 1 is found, also from a container that cannot see its own path", async (t) => {
  const folder = await makeFolder(t, {
    'proc/self/cgroup': '5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n',
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });
  t.equal(readCpuQuota(folder), 0.5);
});

t.test('without a quota, or without cgroups, there is none', async (t) => {
  const files = { 'proc/self/cgroup': '3:cpu:/\n', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' };
  t.equal(readCpuQuota(await makeFolder(t, files)), null);
  t.equal(readCpuQuota(await makeFolder(t)), null);
});

t.test('this machine has at least one CPU and some memory', async (t) => {
  const { parallelism, memoryMb } = readMachine();
  t.ok(Number.isInteger(parallelism) && parallelism >= 1);
  t.ok(Number.isInteger(memoryMb) && memoryMb > 64);
});
