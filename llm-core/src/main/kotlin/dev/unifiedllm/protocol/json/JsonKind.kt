package dev.unifiedllm.protocol.json

internal enum class JsonKind {
    OBJECT,
    ARRAY,
    STRING,
    NUMBER,
    BOOLEAN,
    NULL,
    ;

    companion object {
        /** The kind of a value that begins with [byte]; null if none does. @param isStrict false for NaN and Infinity as numbers */
        fun of(byte: Int, isStrict: Boolean): JsonKind? = when (byte) {
            '"'.code -> STRING
            '{'.code -> OBJECT
            '['.code -> ARRAY
            't'.code, 'f'.code -> BOOLEAN
            'n'.code -> NULL
            '-'.code, in '0'.code..'9'.code -> NUMBER
            'N'.code, 'I'.code -> if (isStrict) null else NUMBER
            else -> null
        }
    }
}
