from search import cli, work


def test_options_default_to_this_machine_the_data_folder_and_the_studys_own_database():
    parser = cli.make_parser("search.test", "", "")
    work.add_options(parser)
    arguments = parser.parse_args([])
    assert (str(arguments.data), arguments.download, arguments.recover) == ("data", False, False)
    assert (arguments.test, arguments.address, arguments.storage) == (None, None, None)
