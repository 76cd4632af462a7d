CASES = {}

OTHERWISE = dict.fromkeys(
    ("can_cast", "finfo", "iinfo", "isdtype", "result_type"), "takes and gives dtypes: tests/test_inspection.py"
)
