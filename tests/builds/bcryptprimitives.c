/* Random bytes as Windows 10 has them, for wine before version 9, which has no bcryptprimitives.dll. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL ProcessPrng(PBYTE bytes, SIZE_T length) {
    return RtlGenRandom(bytes, (ULONG)length);
}
