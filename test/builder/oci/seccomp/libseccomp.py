# The oracle: compiles an OCI linux.seccomp (stdin) with libseccomp as crun does, for any architecture.
# Prints {"bpf": base64, "unknown": for each architecture, the names that this libseccomp does not know there}.
import base64, ctypes, json, os, sys, tempfile

lib = ctypes.CDLL(os.environ.get('LIBSECCOMP', 'libseccomp.so.2'))
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_init.argtypes = [ctypes.c_uint32]
lib.seccomp_arch_resolve_name.restype = ctypes.c_uint32


class Comparison(ctypes.Structure):
    _fields_ = [('arg', ctypes.c_uint), ('op', ctypes.c_int), ('a', ctypes.c_uint64), ('b', ctypes.c_uint64)]


lib.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
OPS = {name: number + 1 for number, name in enumerate(['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'])}
ACTIONS = {'ALLOW': 0x7fff0000, 'LOG': 0x7ffc0000, 'TRAP': 0x00030000, 'KILL': 0, 'KILL_THREAD': 0,
           'KILL_PROCESS': 0x80000000}


def action(name, errno):
    name = name.removeprefix('SCMP_ACT_')
    errno = 1 if errno is None else errno
    return {'ERRNO': 0x00050000 | errno, 'TRACE': 0x7ff00000 | errno}.get(name, ACTIONS.get(name))


def check(result):
    if result < 0:
        sys.exit(f'libseccomp: error {result}')


request = json.load(sys.stdin)
seccomp = request['seccomp']
default = action(seccomp['defaultAction'], seccomp.get('defaultErrnoRet'))
context = ctypes.c_void_p(lib.seccomp_init(default))
names = dict.fromkeys([request['native'], *seccomp['architectures']])
lib.seccomp_arch_remove(context, 0)
for name in names:
    check(lib.seccomp_arch_add(context, lib.seccomp_arch_resolve_name(name.removeprefix('SCMP_ARCH_').lower().encode())))
unknown = {name: [] for name in ['X86_64', 'X86', 'X32', 'AARCH64', 'ARM']}
for rule in seccomp['syscalls']:
    act = action(rule['action'], rule.get('errnoRet'))
    if act == default:
        continue
    for name in rule['names']:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        for arch, names in unknown.items():
            token = lib.seccomp_arch_resolve_name(arch.lower().encode())
            if lib.seccomp_syscall_resolve_name_arch(token, name.encode()) < 0:
                names.append(name)
        if number == -1:
            continue
        args = [Comparison(a['index'], OPS[a['op'].removeprefix('SCMP_CMP_')], a['value'], a.get('valueTwo', 0))
                for a in rule.get('args', [])]
        split = len({a.arg for a in args}) < len(args)
        for group in [[a] for a in args] if split else [args]:
            check(lib.seccomp_rule_add_array(context, act, number, len(group), (Comparison * 6)(*group)))
with tempfile.TemporaryFile() as file:
    check(lib.seccomp_export_bpf(context, file.fileno()))
    file.seek(0)
    print(json.dumps({'bpf': base64.b64encode(file.read()).decode(), 'unknown': unknown}))
