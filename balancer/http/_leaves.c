/* What every request passes octet by octet, at C's speed.
 *
 * Each function is the twin of the function of the same name in scan.py, which is the specification: a test holds the two against
 * each other on whatever octets it can think of. Nothing here keeps a reference, a buffer or a state between two calls, and no index
 * leaves the bytes object that was given. The classes of octets come as a table from octets.py; nothing is defined twice but the
 * names of fields.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { HTAB = 9, LF = 10, CR = 13, SP = 32, QUOTE = 34, COMMA = 44, COLON = 58, SEMICOLON = 59, EQUALS = 61, BACKSLASH = 92, DEL = 127 };
enum { INCOMPLETE = -1, FORBIDDEN = -2 };
enum { TCHAR = 1 };

/* The kinds of fields.py. */
enum {
    HOST = 1, CONNECTION, LENGTH, CODING, COOKIE, SET_COOKIE, CACHE_CONTROL, UPGRADE, EXPECT, DROPPED, WEBSOCKET_KEY,
    WEBSOCKET_ACCEPT, SHADOW, AUTHENTICATE
};

typedef struct {
    Py_ssize_t length;
    const char *name;
    int kind;
    int is_shadowed; /* the name with `_` in place of a `-` is believed by servers behind CGI */
} Name;

#define NAME(text, kind, is_shadowed) { sizeof(text) - 1, text, kind, is_shadowed }
static const Name NAMES[] = {
    NAME("te", DROPPED, 0),
    NAME("host", HOST, 0),
    NAME("cookie", COOKIE, 0),
    NAME("expect", EXPECT, 0),
    NAME("upgrade", UPGRADE, 0),
    NAME("connection", CONNECTION, 0),
    NAME("keep-alive", DROPPED, 0),
    NAME("set-cookie", SET_COOKIE, 0),
    NAME("cache-control", CACHE_CONTROL, 0),
    NAME("content-length", LENGTH, 1),
    NAME("http2-settings", DROPPED, 0),
    NAME("x-forwarded-for", 0, 1),
    NAME("proxy-connection", DROPPED, 0),
    NAME("www-authenticate", AUTHENTICATE, 0),
    NAME("x-forwarded-host", 0, 1),
    NAME("x-forwarded-port", 0, 1),
    NAME("transfer-encoding", CODING, 1),
    NAME("sec-websocket-key", WEBSOCKET_KEY, 0),
    NAME("x-forwarded-proto", 0, 1),
    NAME("proxy-authenticate", AUTHENTICATE, 0),
    NAME("x-forwarded-server", 0, 1),
    NAME("sec-websocket-accept", WEBSOCKET_ACCEPT, 0),
};
#define NAME_COUNT (sizeof(NAMES) / sizeof(NAMES[0]))
#define NAME_LENGTH_MAX 20
static unsigned char first_name[NAME_LENGTH_MAX + 2]; /* of this length in NAMES; the next entry tells where they end */
static unsigned int first_letters[NAME_LENGTH_MAX + 1]; /* of the names of this length: bit 1 is `a` */

static void index_names(void)
{
    size_t at = 0;
    for (Py_ssize_t length = 0; length <= NAME_LENGTH_MAX + 1; length++) {
        while (at < NAME_COUNT && NAMES[at].length < length)
            at++;
        first_name[length] = (unsigned char)at;
    }
    for (at = 0; at < NAME_COUNT; at++)
        first_letters[NAMES[at].length] |= 1u << (NAMES[at].name[0] & 31);
}

static int classify(const unsigned char *name, Py_ssize_t length)
{
    /* Most names are not of interest: their first letter tells. */
    if (length > NAME_LENGTH_MAX || !(first_letters[length] >> (name[0] & 31) & 1))
        return 0;
    for (size_t at = first_name[length]; at < first_name[length + 1]; at++) {
        const Name *known = &NAMES[at];
        Py_ssize_t i = 0;
        int has_underscore = 0;
        for (; i < length; i++) {
            unsigned char octet = name[i];
            if (octet >= 'A' && octet <= 'Z')
                octet += 32;
            if (octet == '_' && known->is_shadowed) {
                octet = '-';
                has_underscore = 1;
            }
            if (octet != (unsigned char)known->name[i])
                break;
        }
        if (i == length)
            return has_underscore ? SHADOW : known->kind;
    }
    return 0;
}

/* Where the run of octets of a field value that begins at `i` ends; `length` at the latest. */
static Py_ssize_t value_end(const unsigned char *p, Py_ssize_t i, Py_ssize_t length)
{
#ifdef __SSE2__
    const __m128i control_max = _mm_set1_epi8(31), tab = _mm_set1_epi8(HTAB), del = _mm_set1_epi8(DEL);
    while (i + 16 <= length) {
        __m128i octets = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i controls = _mm_cmpeq_epi8(_mm_max_epu8(octets, control_max), control_max);
        __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(octets, tab), controls), _mm_cmpeq_epi8(octets, del));
        int mask = _mm_movemask_epi8(bad);
        if (mask)
            return i + __builtin_ctz((unsigned int)mask);
        i += 16;
    }
#endif
    while (i < length && ((p[i] > 31 && p[i] != DEL) || p[i] == HTAB))
        i++;
    return i;
}

static int is_blank(unsigned char octet) { return octet == SP || octet == HTAB; }

static int bytes_argument(PyObject *object, const unsigned char **octets, Py_ssize_t *length)
{
    if (!PyBytes_CheckExact(object)) {
        PyErr_Format(PyExc_TypeError, "expected bytes (got %s)", Py_TYPE(object)->tp_name);
        return -1;
    }
    *octets = (const unsigned char *)PyBytes_AS_STRING(object);
    *length = PyBytes_GET_SIZE(object);
    return 0;
}

static int count_argument(Py_ssize_t count, Py_ssize_t expected)
{
    if (count == expected)
        return 0;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments (got %zd)", expected, count);
    return -1;
}

static int offset_argument(PyObject *object, Py_ssize_t length, Py_ssize_t *offset)
{
    Py_ssize_t value = PyLong_AsSsize_t(object);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < 0 || value > length) {
        PyErr_SetString(PyExc_IndexError, "offset outside the octets");
        return -1;
    }
    *offset = value;
    return 0;
}

PyDoc_STRVAR(find_end_doc, "find_end(data, start) -> int: see scan.find_end");

static PyObject *find_end(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const unsigned char *p;
    Py_ssize_t length, start;
    if (count_argument(count, 2) || bytes_argument(args[0], &p, &length) || offset_argument(args[1], length, &start))
        return NULL;
    const unsigned char *at = p + start, *end = p + length;
    while (at < end && (at = memchr(at, LF, (size_t)(end - at)))) {
        Py_ssize_t i = at - p;
        if (i - 3 >= start && at[-1] == CR && at[-2] == LF && at[-3] == CR)
            return PyLong_FromSsize_t(i + 1);
        at++;
    }
    for (Py_ssize_t i = start; i < length; i++) {
        unsigned char octet = p[i];
        if (octet >= SP && octet != DEL)
            continue;
        if (octet == LF) {
            if (i + 1 < length && p[i + 1] == LF)
                return PyLong_FromSsize_t(i + 2);
            if (i + 2 < length && p[i + 1] == CR && p[i + 2] == LF)
                return PyLong_FromSsize_t(i + 3);
        } else if (octet != CR && octet != HTAB)
            return PyLong_FromLong(FORBIDDEN);
    }
    return PyLong_FromLong(INCOMPLETE);
}

PyDoc_STRVAR(span_doc, "span(data, start, classes, flag) -> int: see scan.span");

static PyObject *span(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const unsigned char *p, *classes;
    Py_ssize_t length, start, class_count;
    if (count_argument(count, 4) || bytes_argument(args[0], &p, &length) || offset_argument(args[1], length, &start) ||
        bytes_argument(args[2], &classes, &class_count))
        return NULL;
    long flag = PyLong_AsLong(args[3]);
    if (flag == -1 && PyErr_Occurred())
        return NULL;
    if (class_count != 256) {
        PyErr_SetString(PyExc_ValueError, "a table of classes has 256 entries");
        return NULL;
    }
    while (start < length && classes[p[start]] & flag)
        start++;
    return PyLong_FromSsize_t(start);
}

static int append_new(PyObject *list, PyObject *item)
{
    if (!item)
        return -1;
    int status = PyList_Append(list, item);
    Py_DECREF(item);
    return status;
}

static int append_slice(PyObject *list, const unsigned char *p, Py_ssize_t begin, Py_ssize_t end)
{
    return append_new(list, PyBytes_FromStringAndSize((const char *)p + begin, end - begin));
}

/* The kinds of the wanted fields; beyond so many as any browser sends they move to memory of their own. */
typedef struct {
    unsigned char few[64];
    unsigned char *octets;
    Py_ssize_t count, room;
} Kinds;

static int add_kind(Kinds *kinds, int kind)
{
    if (kinds->count == kinds->room) {
        Py_ssize_t room = 4 * kinds->room;
        unsigned char *larger = PyMem_Realloc(kinds->octets == kinds->few ? NULL : kinds->octets, (size_t)room);
        if (!larger) {
            PyErr_NoMemory();
            return -1;
        }
        if (kinds->octets == kinds->few)
            memcpy(larger, kinds->few, sizeof(kinds->few));
        kinds->octets = larger;
        kinds->room = room;
    }
    kinds->octets[kinds->count++] = (unsigned char)kind;
    return 0;
}

PyDoc_STRVAR(fields_doc, "fields(data, begin, end, count_max, classes, wanted, dropped) -> tuple: see scan.fields");

static PyObject *fields(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const unsigned char *p, *classes;
    Py_ssize_t length, i, end, class_count;
    if (count_argument(count, 7) || bytes_argument(args[0], &p, &length) || offset_argument(args[1], length, &i) ||
        offset_argument(args[2], length, &end) || bytes_argument(args[4], &classes, &class_count))
        return NULL;
    Py_ssize_t count_max = PyLong_AsSsize_t(args[3]);
    long wanted = PyLong_AsLong(args[5]), dropped = PyLong_AsLong(args[6]);
    if (PyErr_Occurred())
        return NULL;
    if (class_count != 256) {
        PyErr_SetString(PyExc_ValueError, "a table of classes has 256 entries");
        return NULL;
    }
    PyObject *kept = PyList_New(0), *values = PyList_New(0), *result = NULL;
    Kinds kinds = { .octets = kinds.few, .room = sizeof(kinds.few) };
    Py_ssize_t octets = 0, line_count = 0, run = i;
    if (!kept || !values)
        goto done;
    while (i < end) {
        Py_ssize_t line = i;
        while (i < length && classes[p[i]] & TCHAR)
            i++;
        Py_ssize_t name_length = i - line;
        if (name_length == 0 || i >= length || p[i] != COLON)
            goto ill_formed;
        i++;
        while (i < length && is_blank(p[i]))
            i++;
        Py_ssize_t value = i;
        i = value_end(p, i, length);
        if (i + 1 >= length || p[i] != CR || p[i + 1] != LF)
            goto ill_formed;
        Py_ssize_t stop = i;
        while (stop > value && is_blank(p[stop - 1]))
            stop--;
        if (++line_count > count_max)
            goto ill_formed;
        i += 2;
        octets += name_length + stop - value;
        int kind = classify(p + line, name_length);
        if (!kind)
            continue;
        if (wanted >> kind & 1) {
            if (add_kind(&kinds, kind) || append_slice(values, p, value, stop))
                goto done;
        }
        if (dropped >> kind & 1) {
            if (line > run && append_slice(kept, p, run, line))
                goto done;
            run = i;
        }
    }
    if (i != end) {
ill_formed:
        octets = -1;
    } else if (end > run && append_slice(kept, p, run, end))
        goto done;
    result = PyTuple_New(4);
    if (!result)
        goto done;
    PyTuple_SET_ITEM(result, 0, PyLong_FromSsize_t(octets));
    PyTuple_SET_ITEM(result, 1, Py_NewRef(kept));
    PyTuple_SET_ITEM(result, 2, PyBytes_FromStringAndSize((const char *)kinds.octets, kinds.count));
    PyTuple_SET_ITEM(result, 3, Py_NewRef(values));
    if (!PyTuple_GET_ITEM(result, 0) || !PyTuple_GET_ITEM(result, 2))
        Py_CLEAR(result);
done:
    if (kinds.octets != kinds.few)
        PyMem_Free(kinds.octets);
    Py_XDECREF(kept);
    Py_XDECREF(values);
    return result;
}

/* Where the pair of a cookie line that begins at `i` ends: at its delimiter or at the end of the line. */
static Py_ssize_t pair_end(const unsigned char *p, Py_ssize_t i, Py_ssize_t length)
{
    int is_quoted = 0;
    for (; i < length; i++) {
        if (is_quoted) {
            if (p[i] == BACKSLASH)
                i++;
            else if (p[i] == QUOTE)
                is_quoted = 0;
        } else if (p[i] == QUOTE)
            is_quoted = 1;
        else if (p[i] == SEMICOLON || p[i] == COMMA)
            return i;
    }
    return length;
}

PyDoc_STRVAR(cookie_values_doc, "cookie_values(line, name) -> list[bytes]: see scan.cookie_values");

static PyObject *cookie_values(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const unsigned char *p, *name;
    Py_ssize_t length, name_length;
    if (count_argument(count, 2) || bytes_argument(args[0], &p, &length) || bytes_argument(args[1], &name, &name_length))
        return NULL;
    PyObject *values = PyList_New(0);
    if (!values || name_length == 0)
        return values;
    for (Py_ssize_t start = 0; start < length;) {
        Py_ssize_t end = pair_end(p, start, length), i = start;
        while (i < end && is_blank(p[i]))
            i++;
        if (end - i > name_length && memcmp(p + i, name, (size_t)name_length) == 0) {
            i += name_length;
            while (i < end && is_blank(p[i]))
                i++;
            if (i < end && p[i] == EQUALS) {
                i++;
                while (i < end && is_blank(p[i]))
                    i++;
                Py_ssize_t stop = end;
                while (stop > i && is_blank(p[stop - 1]))
                    stop--;
                if (append_new(values, PyBytes_FromStringAndSize((const char *)p + i, stop - i))) {
                    Py_DECREF(values);
                    return NULL;
                }
            }
        }
        start = end + 1;
    }
    return values;
}

static PyMethodDef methods[] = {
    { "find_end", (PyCFunction)(void (*)(void))find_end, METH_FASTCALL, find_end_doc },
    { "span", (PyCFunction)(void (*)(void))span, METH_FASTCALL, span_doc },
    { "fields", (PyCFunction)(void (*)(void))fields, METH_FASTCALL, fields_doc },
    { "cookie_values", (PyCFunction)(void (*)(void))cookie_values, METH_FASTCALL, cookie_values_doc },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "balancer.http._leaves", "The twins of scan.py, native.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__leaves(void)
{
    index_names();
    return PyModule_Create(&module);
}
