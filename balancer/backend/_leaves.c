/* System calls of the hot path that cannot wait, so that the interpreter need not be given away and taken again around them.
 *
 * Each function is the twin of the function of the same name in syscalls.py, which is the specification and the oracle of its test.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int count_argument(Py_ssize_t count, Py_ssize_t expected)
{
    if (count == expected)
        return 0;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments (got %zd)", expected, count);
    return -1;
}

static int descriptor_argument(PyObject *object, int *descriptor)
{
    long value = PyLong_AsLong(object);
    if (value == -1 && PyErr_Occurred())
        return -1;
    *descriptor = value < 0 || value > INT_MAX ? -1 : (int)value;
    return 0;
}

PyDoc_STRVAR(descriptors_max_doc, "descriptors_max() -> int: see syscalls.descriptors_max");

static PyObject *descriptors_max(PyObject *self, PyObject *unused)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(limit.rlim_cur > INT_MAX ? INT_MAX : (long)limit.rlim_cur);
}

PyDoc_STRVAR(is_quiet_doc, "is_quiet(descriptor) -> bool: see syscalls.is_quiet");

static PyObject *is_quiet(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int descriptor;
    char octet;
    if (count_argument(count, 1) || descriptor_argument(args[0], &descriptor))
        return NULL;
    ssize_t got = recv(descriptor, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return PyBool_FromLong(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

PyDoc_STRVAR(send_each_doc, "send_each(descriptor, datagrams, address) -> int: see syscalls.send_each");

static PyObject *send_each(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int descriptor;
    struct sockaddr_storage address = { 0 };
    if (count_argument(count, 3) || descriptor_argument(args[0], &descriptor))
        return NULL;
    if (!PyList_CheckExact(args[1]) || !PyBytes_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "expected a descriptor, a list of bytes and the bytes of an address");
        return NULL;
    }
    Py_ssize_t length = PyBytes_GET_SIZE(args[2]);
    if (length > (Py_ssize_t)sizeof(address)) {
        PyErr_SetString(PyExc_ValueError, "too long for an address");
        return NULL;
    }
    memcpy(&address, PyBytes_AS_STRING(args[2]), (size_t)length);
    Py_ssize_t sent = 0;
    for (; sent < PyList_GET_SIZE(args[1]); sent++) {
        PyObject *datagram = PyList_GET_ITEM(args[1], sent);
        if (!PyBytes_CheckExact(datagram)) {
            PyErr_SetString(PyExc_TypeError, "a datagram is bytes");
            return NULL;
        }
        if (sendto(descriptor, PyBytes_AS_STRING(datagram), (size_t)PyBytes_GET_SIZE(datagram), MSG_DONTWAIT | MSG_NOSIGNAL,
                   length ? (const struct sockaddr *)&address : NULL, (socklen_t)length) < 0)
            break;
    }
    return PyLong_FromSsize_t(sent);
}

PyDoc_STRVAR(send_now_doc, "send_now(descriptor, octets, has_more) -> int: see syscalls.send_now");

static PyObject *send_now(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int descriptor;
    if (count_argument(count, 3) || descriptor_argument(args[0], &descriptor))
        return NULL;
    if (!PyBytes_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "expected a descriptor and bytes");
        return NULL;
    }
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (args[2] == Py_True ? MSG_MORE : 0);
    ssize_t sent = send(descriptor, PyBytes_AS_STRING(args[1]), (size_t)PyBytes_GET_SIZE(args[1]), flags);
    return PyLong_FromSsize_t(sent < 0 ? 0 : sent);
}

#define PIECES_MAX 64

PyDoc_STRVAR(send_pieces_doc, "send_pieces(descriptor, pieces) -> int: see syscalls.send_pieces");

static PyObject *send_pieces(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int descriptor;
    struct iovec vector[PIECES_MAX];
    if (count_argument(count, 2) || descriptor_argument(args[0], &descriptor))
        return NULL;
    if (!PyList_CheckExact(args[1])) {
        PyErr_SetString(PyExc_TypeError, "expected a descriptor and a list of bytes");
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(args[1]);
    if (length > PIECES_MAX)
        length = PIECES_MAX;
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *piece = PyList_GET_ITEM(args[1], i);
        if (!PyBytes_CheckExact(piece)) {
            PyErr_SetString(PyExc_TypeError, "a piece is bytes");
            return NULL;
        }
        vector[i].iov_base = PyBytes_AS_STRING(piece);
        vector[i].iov_len = (size_t)PyBytes_GET_SIZE(piece);
    }
    struct msghdr message = { .msg_iov = vector, .msg_iovlen = (size_t)length };
    ssize_t sent = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return PyLong_FromSsize_t(sent < 0 ? 0 : sent);
}

PyDoc_STRVAR(push_doc, "push(descriptor) -> None: see syscalls.push");

static PyObject *push(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int descriptor, on = 1;
    if (count_argument(count, 1) || descriptor_argument(args[0], &descriptor))
        return NULL;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "descriptors_max", descriptors_max, METH_NOARGS, descriptors_max_doc },
    { "is_quiet", (PyCFunction)(void (*)(void))is_quiet, METH_FASTCALL, is_quiet_doc },
    { "send_each", (PyCFunction)(void (*)(void))send_each, METH_FASTCALL, send_each_doc },
    { "send_now", (PyCFunction)(void (*)(void))send_now, METH_FASTCALL, send_now_doc },
    { "send_pieces", (PyCFunction)(void (*)(void))send_pieces, METH_FASTCALL, send_pieces_doc },
    { "push", (PyCFunction)(void (*)(void))push, METH_FASTCALL, push_doc },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "balancer.backend._leaves", "The twins of syscalls.py, native.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__leaves(void) { return PyModule_Create(&module); }
